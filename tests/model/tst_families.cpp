#include <QTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "kernels/decode.h"
#include "model/config_from_hub.h"
#include "model/model_source.h"
#include "model/model_tensors.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = fs::path(ESPALIER_TEST_DATA) / "models";

std::vector<std::string> cases() {
    std::vector<std::string> names;
    const Json list = read_json_file(kModels / "cases.json");
    for (const auto& item : list.items()) names.push_back(item.key());
    return names;
}

void add_cases() {
    QTest::addColumn<QString>("model");
    for (const auto& name : cases()) {
        QTest::addRow("%s", name.c_str()) << QString::fromStdString(name);
    }
}

MoeConfig read(const std::string& model) {
    return config_from_hub(read_json_file(kModels / model / "config.json"), {}, "config.json");
}

/// As transformers 4 wrote it.
Json in_the_older_spelling(Json json) {
    Json& text = json.contains("text_config") ? json["text_config"] : json;
    Json rope = text["rope_parameters"];
    text.erase("rope_parameters");
    for (const char* key : {"rope_theta", "partial_rotary_factor"}) {
        if (rope.contains(key)) text[key] = rope[key];
        rope.erase(key);
    }
    text["rope_scaling"] = rope["rope_type"] == "default" ? Json() : rope;
    if (json.contains("dtype")) json["torch_dtype"] = json["dtype"];
    json.erase("dtype");
    return json;
}

std::vector<float> decoded(const ModelSource& model, const TensorKey& key) {
    std::vector<float> values(*num_elements(model.shape(key)));
    model.decode(key, values);
    return values;
}

/// The tensor as a matrix of rows, whatever the file calls it.
std::vector<float> stored_values(const ModelSource& model, std::string_view name) {
    for (const auto& tensor : model.stored_tensors()) {
        if (tensor.name != name) continue;
        std::vector<float> values(*num_elements(tensor.view.shape));
        kernels::decode(tensor.view.dtype, tensor.view.bytes, values);
        return values;
    }
    return {};
}

}  // namespace

class TestFamilies : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void both_spellings_mean_the_same_data() { add_cases(); }

    void both_spellings_mean_the_same() {
        QFETCH(QString, model);
        const fs::path folder = kModels / model.toStdString();
        const Json json = read_json_file(folder / "config.json");
        const Json legacy = fs::exists(folder / "config.legacy.json")
                                ? read_json_file(folder / "config.legacy.json")
                                : in_the_older_spelling(json);
        QVERIFY(config_from_hub(json, {}, "") == config_from_hub(legacy, {}, ""));
    }

    void every_tensor_can_be_decoded_data() { add_cases(); }

    void every_tensor_can_be_decoded() {
        QFETCH(QString, model);
        const auto source = ModelSource::open(kModels / model.toStdString());
        std::set<std::string> unused(source->extra_tensors().begin(),
                                     source->extra_tensors().end());
        for (const auto& tensor : model_tensors(source->config())) {
            QVERIFY(source->shape(tensor.key) == tensor.shape);
            const auto values = decoded(*source, tensor.key);
            bool is_constant = values.size() > 1;
            for (const float value : values) {
                QVERIFY(std::isfinite(value));
                is_constant = is_constant && value == values.front();
            }
            QVERIFY(!is_constant);
        }
        for (const auto& tensor : source->stored_tensors()) {
            QVERIFY2(source->role_of(tensor.name) || unused.contains(tensor.name),
                     tensor.name.c_str());
        }
    }

    void stored_rows_are_the_decoded_ones_data() { add_cases(); }

    void stored_rows_are_the_decoded_ones() {
        QFETCH(QString, model);
        const auto source = ModelSource::open(kModels / model.toStdString());
        int with_places = 0;
        for (const auto& tensor : model_tensors(source->config())) {
            const auto stored = source->stored(tensor.key);
            const auto view = source->view(tensor.key);
            if (view) QVERIFY(stored && stored->row_places.empty());
            if (!stored) continue;
            with_places += stored->row_places.empty() ? 0 : 1;
            const auto values = decoded(*source, tensor.key);
            std::vector<float> all(*num_elements(stored->view.shape));
            kernels::decode(stored->view.dtype, stored->view.bytes, all);
            const auto rows = static_cast<std::size_t>(tensor.shape.front());
            const std::size_t columns = values.size() / rows;
            for (std::size_t row = 0; row < rows; ++row) {
                const std::size_t place =
                    stored->row_places.empty()
                        ? row
                        : static_cast<std::size_t>(stored->row_places.at(row));
                for (std::size_t i = 0; i < columns; ++i) {
                    QCOMPARE(all.at(place * columns + i), values[row * columns + i]);
                }
            }
        }
        const QString family = QString::fromStdString(source->config().family);
        const bool shares_rows = family == "qwen3_next" || family == "gpt_oss" ||
                                 family.startsWith("deepseek") || family == "glm4_moe_lite";
        QCOMPARE(with_places > 0, shares_rows);
    }

    void reads_qwen2_moe() {
        const MoeConfig config = read("qwen2_moe-shared-expert");
        QVERIFY(config.attention.has_qkv_bias && !config.attention.has_output_bias);
        QVERIFY(!config.router.normalises_top_k);
        QCOMPARE(config.shared_expert.width, std::int64_t{40});
        QVERIFY(config.shared_expert.has_gate);
        QVERIFY(config.layers[0].mixer == MixerKind::FullAttention);
    }

    void reads_olmoe() {
        const MoeConfig config = read("olmoe-basic");
        QVERIFY(config.attention.qk_norm == QkNorm::Whole && !config.router.normalises_top_k);
        QCOMPARE(config.moe_intermediate_size, std::int64_t{20});
    }

    void reads_qwen3_next() {
        const MoeConfig config = read("qwen3_next-hybrid");
        QVERIFY(config.layers[2].mixer == MixerKind::DeltaNet);
        QVERIFY(config.layers[3].mixer == MixerKind::FullAttention);
        QVERIFY(config.attention.has_output_gate);
        QCOMPARE(config.attention.rope.rotated_dims, std::int64_t{4});
        QCOMPARE(config.delta_net.channels(), std::int64_t{2 * 2 * 8 + 4 * 8});
        QCOMPARE(config.shared_expert.width, std::int64_t{20});
    }

    void reads_qwen3_5_moe_nested_and_flat() {
        const MoeConfig nested = read("qwen3_5_moe-hub-layout");
        QCOMPARE(nested.family.c_str(), "qwen3_5_moe");
        QCOMPARE(nested.num_layers(), std::int64_t{3});
        QCOMPARE(nested.stored_dtype.c_str(), "float32");
        QVERIFY(nested.router.normalises_top_k);
        QCOMPARE(read("qwen3_5_moe-text").family.c_str(), "qwen3_5_moe_text");
    }

    void names_what_text_does_not_pass_through() {
        const auto model = ModelSource::open(kModels / "qwen3_5_moe-hub-layout");
        const auto& extra = model->extra_tensors();
        QVERIFY(std::any_of(extra.begin(), extra.end(), [](const std::string& name) {
            return name.starts_with("model.visual.");
        }));
        QVERIFY(std::any_of(extra.begin(), extra.end(),
                            [](const std::string& name) { return name.starts_with("mtp."); }));
        QVERIFY(ModelSource::open(kModels / "qwen3_5_moe-text")->extra_tensors().empty());
    }

    void reads_gpt_oss() {
        const MoeConfig config = read("gpt_oss-mxfp4");
        const AttentionConfig& attention = config.attention;
        QVERIFY(attention.has_sinks && attention.has_qkv_bias && attention.has_output_bias);
        QVERIFY(config.layers[0].mixer == MixerKind::SlidingAttention);
        QCOMPARE(config.layers[0].sliding_window, std::int64_t{8});
        QVERIFY(config.layers[1].mixer == MixerKind::FullAttention);
        QVERIFY(attention.rope.scaling == (RopeScaling{.kind = RopeScalingKind::Yarn,
                                                       .factor = 8.0,
                                                       .original_context = 64,
                                                       .truncate = false}));
        QCOMPARE(attention.rope.attention_factor, 0.1 * std::log(8.0) + 1.0);
        QVERIFY(config.router.has_bias && config.experts.has_bias);
        QVERIFY(config.experts.activation == ExpertActivation::ClampedSilu);
        QCOMPARE(config.experts.limit, 7.0);
    }

    void a_gpt_oss_config_without_words_about_rope_means_the_published_scaling() {
        Json json = read_json_file(kModels / "gpt_oss-basic/config.legacy.json");
        for (const char* key : {"rope_scaling", "rope_theta", "layer_types"}) json.erase(key);
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        QCOMPARE(config.attention.rope.theta, 150000.0);
        QCOMPARE(config.attention.rope.scaling.factor, 32.0);
        QCOMPARE(config.attention.rope.scaling.original_context, std::int64_t{4096});
        QVERIFY(config.layers[2].mixer == MixerKind::SlidingAttention);
        QVERIFY(config.layers[3].mixer == MixerKind::FullAttention);
    }

    void gpt_oss_experts_lie_in_turned_columns() {
        const auto model = ModelSource::open(kModels / "gpt_oss-basic");
        const auto stored = stored_values(*model, "model.layers.0.mlp.experts.gate_up_proj");
        const auto up = decoded(*model, {TensorRole::ExpertUp, 0, 3});
        constexpr std::size_t kHidden = 32;
        constexpr std::size_t kWidth = 24;
        for (std::size_t row = 0; row < kWidth; ++row) {
            for (std::size_t i = 0; i < kHidden; ++i) {
                QCOMPARE(up[row * kHidden + i],
                         stored[(3 * kHidden + i) * 2 * kWidth + 2 * row + 1]);
            }
        }
        const auto bias = stored_values(*model, "model.layers.0.mlp.experts.gate_up_proj_bias");
        const auto gate_bias = decoded(*model, {TensorRole::ExpertGateBias, 0, 2});
        for (std::size_t i = 0; i < kWidth; ++i) {
            QCOMPARE(gate_bias[i], bias[2 * 2 * kWidth + 2 * i]);
        }
    }

    void reads_deepseek_v2() {
        const MoeConfig config = read("deepseek_v2-lite");
        const LatentConfig& latent = config.attention.latent;
        QVERIFY(latent == (LatentConfig{0, 24, 12, 8, 10}));
        QCOMPARE(config.attention.head_dim, std::int64_t{20});
        QCOMPARE(config.attention.num_kv_heads, std::int64_t{4});
        QVERIFY(config.attention.rope.style == RopeStyle::Pairs);
        QCOMPARE(config.attention.rope.rotated_dims, std::int64_t{8});
        QVERIFY(config.router.scoring == RouterScoring::Softmax);
        QVERIFY(!config.router.normalises_top_k && !config.router.has_selection_bias);
        QCOMPARE(config.shared_expert.width, std::int64_t{40});
        QCOMPARE(config.intermediate_size, std::int64_t{64});
        QVERIFY(config.moe_layers() == (std::vector<std::int64_t>{1, 2}));
    }

    void reads_deepseek_v3() {
        const MoeConfig config = read("deepseek_v3-basic");
        const RouterConfig& router = config.router;
        QVERIFY(router.scoring == RouterScoring::Sigmoid && router.has_selection_bias);
        QVERIFY(router.group_score == GroupScore::SumOfBestTwo);
        QCOMPARE(router.num_groups, std::int64_t{4});
        QCOMPARE(router.top_groups, std::int64_t{2});
        QCOMPARE(router.scale, 2.5);
        QCOMPARE(router.normalising_epsilon, 1e-20);
        QCOMPARE(config.attention.latent.query_rank, std::int64_t{20});
    }

    void the_published_deepseek_v3_stretches_attention() {
        Json json = read_json_file(kModels / "deepseek_v3-basic/config.legacy.json");
        json["rope_scaling"] = {{"type", "yarn"},
                                {"factor", 40},
                                {"mscale", 1.0},
                                {"mscale_all_dim", 1.0},
                                {"beta_fast", 32},
                                {"beta_slow", 1},
                                {"original_max_position_embeddings", 64}};
        json["num_nextn_predict_layers"] = 1;
        json["moe_layer_freq"] = 1;
        json["quantization_config"] = {{"activation_scheme", "dynamic"},
                                       {"fmt", "e4m3"},
                                       {"quant_method", "fp8"},
                                       {"weight_block_size", {128, 128}}};
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        const double m = 0.1 * std::log(40.0) + 1.0;
        QCOMPARE(config.attention.scale, m * m / std::sqrt(20.0));
        QCOMPARE(config.attention.rope.attention_factor, 1.0);
        QCOMPARE(config.num_extra_layers, std::int64_t{1});
    }

    void reads_glm4_moe_lite() {
        const MoeConfig config = read("glm4_moe_lite-basic");
        QVERIFY(config.layers[0].feed_forward == FeedForwardKind::Dense);
        QCOMPARE(config.moe_layers().size(), std::size_t{2});
        QCOMPARE(config.rms_norm_eps, 1e-3);
        QVERIFY(config.layers[1].mixer == MixerKind::LatentAttention);
    }

    void reads_granitemoe() {
        Json json = read_json_file(kModels / "granitemoe-basic/config.json");
        json["embedding_multiplier"] = 12;
        json["residual_multiplier"] = 0.22;
        json["logits_scaling"] = 6.0;
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        QCOMPARE(config.attention.scale, 0.35);
        QCOMPARE(config.embedding_multiplier, 12.0);
        QCOMPARE(config.residual_multiplier, 0.22);
        QCOMPARE(config.logits_divisor, 6.0);
        json.erase("attention_multiplier");
        QCOMPARE(config_from_hub(json, {}, "config.json").attention.scale, 1.0);
    }

    /// As the published LFM2-8B-A1B says it, smaller.
    void reads_lfm2_moe() {
        Json json = {{"model_type", "lfm2_moe"},
                     {"vocab_size", 128},
                     {"hidden_size", 32},
                     {"intermediate_size", 48},
                     {"moe_intermediate_size", 12},
                     {"num_hidden_layers", 4},
                     {"num_attention_heads", 4},
                     {"num_key_value_heads", 2},
                     {"max_position_embeddings", 128000},
                     {"norm_eps", 1e-5},
                     {"conv_L_cache", 3},
                     {"conv_bias", false},
                     {"num_dense_layers", 2},
                     {"num_experts", 8},
                     {"num_experts_per_tok", 4},
                     {"use_expert_bias", true},
                     {"norm_topk_prob", true},
                     {"routed_scaling_factor", 1.0},
                     {"layer_types", {"conv", "conv", "full_attention", "conv"}},
                     {"rope_theta", 1e6}};
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        QVERIFY(config.layers[0].mixer == MixerKind::ShortConvolution);
        QVERIFY(config.layers[2].mixer == MixerKind::FullAttention);
        QVERIFY(config.moe_layers() == (std::vector<std::int64_t>{2, 3}));
        QVERIFY(config.ties_embeddings && config.router.has_selection_bias);
        QCOMPARE(config.router.normalising_epsilon, 1e-6);
        QCOMPARE(config.rms_norm_eps, 1e-5);
        json["tie_embedding"] = false;
        QVERIFY(!config_from_hub(json, {}, "config.json").ties_embeddings);
    }

    void reads_glm4_moe() {
        const Json json = {{"model_type", "glm4_moe"},
                           {"vocab_size", 128},
                           {"hidden_size", 32},
                           {"intermediate_size", 48},
                           {"moe_intermediate_size", 12},
                           {"num_hidden_layers", 3},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"head_dim", 16},
                           {"max_position_embeddings", 1024},
                           {"attention_bias", true},
                           {"use_qk_norm", true},
                           {"partial_rotary_factor", 0.5},
                           {"first_k_dense_replace", 1},
                           {"n_group", 1},
                           {"topk_group", 1},
                           {"n_routed_experts", 8},
                           {"n_shared_experts", 1},
                           {"num_experts_per_tok", 4},
                           {"num_nextn_predict_layers", 1},
                           {"routed_scaling_factor", 1.5},
                           {"rope_scaling", nullptr},
                           {"rope_theta", 1000000}};
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        QVERIFY(config.attention.has_qkv_bias && !config.attention.has_output_bias);
        QVERIFY(config.attention.qk_norm == QkNorm::PerHead);
        QCOMPARE(config.attention.rope.rotated_dims, std::int64_t{8});
        QVERIFY(config.attention.rope.style == RopeStyle::Half);
        QCOMPARE(config.shared_expert.width, std::int64_t{12});
        QCOMPARE(config.num_extra_layers, std::int64_t{1});
    }

    void sliding_windows_of_qwen2_moe_alternate() {
        Json json = read_json_file(kModels / "qwen2_moe-shared-expert/config.legacy.json");
        json["num_hidden_layers"] = 4;
        json.erase("layer_types");
        json["use_sliding_window"] = true;
        json["sliding_window"] = 16;
        json["max_window_layers"] = 2;
        const MoeConfig config = config_from_hub(json, {}, "config.json");
        QCOMPARE(config.layers[0].sliding_window, std::int64_t{16});
        QCOMPARE(config.layers[1].sliding_window, std::int64_t{0});
        QCOMPARE(config.layers[2].sliding_window, std::int64_t{0});
    }

    void refuses_what_it_does_not_know_data() {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("key");
        QTest::addColumn<QByteArray>("value");
        QTest::addColumn<QString>("words");
        const auto row = [](const char* model, const char* key, const char* value,
                            const char* words) {
            QTest::addRow("%s, %s", model, key)
                << QString(model) << QString(key) << QByteArray(value) << QString(words);
        };
        row("gpt_oss-mxfp4", "quantization_config", "{\"quant_method\":\"awq\"}", "\"awq\"");
        row("qwen2_moe-shared-expert", "quantization_config", "{\"quant_method\":\"mxfp4\"}",
            "\"mxfp4\"");
        row("deepseek_v3-basic", "quantization_config", "{\"quant_method\":\"fp8\"}",
            "weight_block_size");
        row("gpt_oss-basic", "layer_types",
            "[\"full_attention\",\"linear_attention\",\"full_attention\",\"full_attention\"]",
            "\"linear_attention\"");
        row("gpt_oss-basic", "layer_types", "[\"full_attention\"]", "layer_types names 1 layers");
        row("deepseek_v2-lite", "topk_method", "\"best\"", "\"best\"");
        row("deepseek_v3-basic", "scoring_func", "\"softmax\"", "scoring_func");
        row("deepseek_v3-basic", "n_group", "5", "5 equal groups");
        row("deepseek_v3-basic", "topk_group", "9", "topk_group is 9");
        row("qwen3_next-hybrid", "attn_output_gate", "false", "attn_output_gate");
        row("qwen3_next-hybrid", "linear_num_key_heads", "3", "linear_num_key_heads 3");
        row("qwen3_5_moe-text", "mlp_only_layers", "[1]", "mlp_only_layers");
        row("qwen3_5_moe-hub-layout", "audio_config", "{\"a\":1}", "audio_config");
        row("olmoe-basic", "clip_qkv", "-1", "clip_qkv");
        row("olmoe-basic", "text_config", "{\"a\":1}", "text_config");
        row("granitemoe-basic", "residual_multiplier", "0", "multiplier");
        row("mixtral-basic", "rope_scaling", "{\"type\":\"dynamic\",\"factor\":2}", "\"dynamic\"");
    }

    void refuses_what_it_does_not_know() {
        QFETCH(QString, model);
        QFETCH(QString, key);
        QFETCH(QByteArray, value);
        QFETCH(QString, words);
        Json json = read_json_file(kModels / model.toStdString() / "config.json");
        json[key.toStdString()] = Json::parse(value.toStdString());
        const auto error = error_of([&] { config_from_hub(json, {}, "config.json"); });
        QVERIFY(error);
        QVERIFY2(QString(error->what()).contains(words), error->what());
    }
};

QTEST_APPLESS_MAIN(TestFamilies)
#include "tst_families.moc"
