#include <QTest>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "model/config_from_hub.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;
namespace fs = std::filesystem;

namespace {

const fs::path kModels = fs::path(ESPALIER_TEST_DATA) / "models";

MoeConfig read(const fs::path& path) {
    return config_from_hub(read_json_file(path), {}, "config.json");
}

Json qwen3() { return read_json_file(kModels / "qwen3_moe-basic/config.legacy.json"); }
Json mixtral() { return read_json_file(kModels / "mixtral-basic/config.legacy.json"); }

MoeConfig config_of(const Json& json) { return config_from_hub(json, {}, "config.json"); }

}  // namespace

class TestConfigFromHub : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void both_spellings_mean_the_same_data() {
        QTest::addColumn<QString>("model");
        for (const char* model : {"qwen3_moe-basic", "qwen3_moe-tied-sharded", "mixtral-basic"}) {
            QTest::addRow("%s", model) << QString(model);
        }
    }

    void both_spellings_mean_the_same() {
        QFETCH(QString, model);
        const fs::path folder = kModels / model.toStdString();
        QVERIFY(read(folder / "config.json") == read(folder / "config.legacy.json"));
    }

    void reads_qwen3_moe() {
        const MoeConfig config = read(kModels / "qwen3_moe-basic/config.json");
        QCOMPARE(config.family.c_str(), "qwen3_moe");
        QCOMPARE(config.hidden_size, std::int64_t{32});
        QCOMPARE(config.vocab_size, std::int64_t{128});
        QCOMPARE(config.context_length, std::int64_t{256});
        QCOMPARE(config.num_layers(), std::int64_t{3});
        QCOMPARE(config.moe_layers().size(), std::size_t{3});
        QCOMPARE(config.intermediate_size, std::int64_t{0});
        QCOMPARE(config.moe_intermediate_size, std::int64_t{12});
        QCOMPARE(config.rms_norm_eps, 1e-6);
        QCOMPARE(config.router.num_experts, std::int64_t{12});
        QCOMPARE(config.router.top_k, std::int64_t{3});
        QVERIFY(config.router.normalises_top_k);
        QVERIFY(config.router.scoring == RouterScoring::Softmax);
        QCOMPARE(config.attention.num_heads, std::int64_t{4});
        QCOMPARE(config.attention.num_kv_heads, std::int64_t{2});
        QCOMPARE(config.attention.head_dim, std::int64_t{16});
        QCOMPARE(config.attention.scale, 0.25);
        QCOMPARE(config.attention.rope.theta, 1e6);
        QCOMPARE(config.attention.rope.rotated_dims, std::int64_t{16});
        QVERIFY(config.attention.qk_norm == QkNorm::PerHead && !config.attention.has_qkv_bias);
        QVERIFY(!config.ties_embeddings);
        QCOMPARE(config.stored_dtype.c_str(), "float32");
    }

    void reads_dense_layers_and_tied_embeddings() {
        const MoeConfig config = read(kModels / "qwen3_moe-tied-sharded/config.json");
        QVERIFY(config.layers[0].feed_forward == FeedForwardKind::Dense);
        QVERIFY(config.moe_layers() == (std::vector<std::int64_t>{1, 2}));
        QCOMPARE(config.intermediate_size, std::int64_t{56});
        QVERIFY(config.ties_embeddings);
        QCOMPARE(config.stored_dtype.c_str(), "bfloat16");
    }

    void reads_mixtral() {
        const MoeConfig config = read(kModels / "mixtral-basic/config.json");
        QCOMPARE(config.family.c_str(), "mixtral");
        QCOMPARE(config.moe_intermediate_size, std::int64_t{40});
        QCOMPARE(config.router.num_experts, std::int64_t{8});
        QCOMPARE(config.attention.head_dim, std::int64_t{8});
        QVERIFY(config.router.normalises_top_k && config.attention.qk_norm == QkNorm::None);
        QVERIFY(config.layers[0].mixer == MixerKind::FullAttention);
    }

    void fills_in_what_may_be_absent() {
        Json json = qwen3();
        for (const char* key : {"rope_theta", "rope_scaling", "head_dim", "num_key_value_heads",
                                "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers",
                                "attention_bias", "tie_word_embeddings", "rms_norm_eps"}) {
            json.erase(key);
        }
        const MoeConfig config = config_of(json);
        QCOMPARE(config.attention.rope.theta, 10000.0);
        QCOMPARE(config.attention.head_dim, std::int64_t{8});
        QCOMPARE(config.attention.num_kv_heads, std::int64_t{4});
        QVERIFY(!config.router.normalises_top_k);
        QCOMPARE(config.rms_norm_eps, 1e-6);
        Json without_theta = mixtral();
        without_theta.erase("rope_theta");
        QCOMPARE(config_of(without_theta).attention.rope.theta, 1e6);
    }

    void sliding_windows_count_where_the_family_uses_them() {
        Json json = qwen3();
        json["sliding_window"] = 64;
        QVERIFY(config_of(json).layers[0].mixer == MixerKind::FullAttention);
        json["use_sliding_window"] = true;
        for (const auto& layer : config_of(json).layers) {
            QVERIFY(layer.mixer == MixerKind::SlidingAttention);
            QCOMPARE(layer.sliding_window, std::int64_t{64});
        }
        json = mixtral();
        json["sliding_window"] = 7;
        QCOMPARE(config_of(json).layers[1].sliding_window, std::int64_t{7});
    }

    void every_nth_layer_has_experts() {
        Json json = qwen3();
        json["decoder_sparse_step"] = 2;
        QVERIFY(config_of(json).moe_layers() == std::vector<std::int64_t>{1});
        QCOMPARE(config_of(json).intermediate_size, std::int64_t{48});
    }

    void part_of_a_head_may_be_rotated() {
        Json json = qwen3();
        json["partial_rotary_factor"] = 0.25;
        QCOMPARE(config_of(json).attention.rope.rotated_dims, std::int64_t{4});
    }

    void biases_follow_their_flag() {
        Json json = qwen3();
        json["attention_bias"] = true;
        const AttentionConfig attention = config_of(json).attention;
        QVERIFY(attention.has_qkv_bias && attention.has_output_bias);
    }

    void end_tokens_come_from_both_files() {
        Json json = qwen3();
        json["eos_token_id"] = 5;
        const Json generation{{"eos_token_id", {9, 5}}, {"temperature", 0.6}};
        const MoeConfig config = config_from_hub(json, generation, "config.json");
        QVERIFY(config.eos_token_ids == (std::vector<std::int64_t>{5, 9}));
    }

    void fields_without_influence_are_ignored() {
        Json json = qwen3();
        json["router_jitter_noise"] = 0.1;
        json["_name_or_path"] = "x";
        json["something_new"] = nullptr;
        json["another_switch"] = false;
        QVERIFY(config_of(json) == config_of(qwen3()));
    }

    void refuses_what_it_does_not_know_data() {
        QTest::addColumn<QString>("key");
        QTest::addColumn<QByteArray>("value");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("words");
        const auto row = [](const char* name, const char* key, const char* value, const char* code,
                            const char* words) {
            QTest::addRow("%s", name)
                << QString(key) << QByteArray(value) << QString(code) << QString(words);
        };
        constexpr const char* kUnknown = "E-ARCH-01";
        constexpr const char* kWrong = "E-ARCH-03";
        row("model_type", "model_type", "\"gpt2\"", kUnknown, "\"gpt2\"");
        row("model_type missing", "model_type", "null", kWrong, "model_type");
        row("flag", "use_magic", "true", kUnknown, "\"use_magic\"");
        row("number", "logits_scaling", "8.0", kUnknown, "\"logits_scaling\"");
        row("activation", "hidden_act", "\"gelu\"", kUnknown, "hidden_act");
        row("quantised", "quantization_config", "{\"bits\":4}", kUnknown, "quantization_config");
        row("rope scaling", "rope_scaling", "{\"type\":\"longrope\",\"factor\":4}", kUnknown,
            "\"longrope\"");
        row("rope option", "rope_parameters", "{\"rope_type\":\"default\",\"spiral\":2}", kUnknown,
            "\"spiral\"");
        row("rope contradiction", "rope_parameters", "{\"rope_theta\":5.0}", kWrong, "contradicts");
        row("rope no object", "rope_scaling", "3", kWrong, "rope_scaling");
        row("rotated fraction", "partial_rotary_factor", "1.5", kWrong, "partial_rotary_factor");
        row("counts contradict", "num_local_experts", "13", kWrong, "num_local_experts");
        row("hidden_size missing", "hidden_size", "null", kWrong, "hidden_size is missing");
        row("hidden_size negative", "hidden_size", "-32", kWrong, "hidden_size is -32");
        row("hidden_size fraction", "hidden_size", "32.5", kWrong, "hidden_size");
        row("hidden_size text", "hidden_size", "\"32\"", kWrong, "hidden_size");
        row("hidden_size huge", "hidden_size", "18446744073709551615", kWrong, "hidden_size");
        row("no layers", "num_hidden_layers", "0", kWrong, "num_hidden_layers is 0");
        row("endless layers", "num_hidden_layers", "99999999999", kWrong, "num_hidden_layers");
        row("no heads", "num_attention_heads", "0", kWrong, "num_attention_heads");
        row("odd heads", "num_key_value_heads", "3", kWrong, "num_key_value_heads");
        row("head_dim", "head_dim", "0", kWrong, "head_dim");
        row("odd head_dim", "head_dim", "15", kWrong, "rotated");
        row("no experts", "num_experts", "0", kWrong, "num_experts");
        row("endless experts", "num_experts", "16385", kWrong, "num_experts is 16385");
        row("top_k", "num_experts_per_tok", "13", kWrong, "num_experts_per_tok is 13");
        row("top_k missing", "num_experts_per_tok", "null", kWrong, "num_experts_per_tok");
        row("vocab_size", "vocab_size", "0", kWrong, "vocab_size");
        row("context", "max_position_embeddings", "null", kWrong, "max_position_embeddings");
        row("eps", "rms_norm_eps", "\"small\"", kWrong, "rms_norm_eps");
        row("theta", "rope_theta", "0", kWrong, "rope_theta");
        row("flag is a number", "norm_topk_prob", "1", kWrong, "norm_topk_prob");
        row("eos is a text", "eos_token_id", "\"</s>\"", kWrong, "eos_token_id");
        row("eos negative", "eos_token_id", "[-1]", kWrong, "eos_token_id");
        row("layers all dense", "mlp_only_layers", "[0,1,2]", kWrong, "experts");
        row("list of texts", "mlp_only_layers", "[\"0\"]", kWrong, "mlp_only_layers");
        row("step", "decoder_sparse_step", "0", kWrong, "decoder_sparse_step");
        row("expert width", "moe_intermediate_size", "null", kWrong, "moe_intermediate_size");
    }

    void refuses_what_it_does_not_know() {
        QFETCH(QString, key);
        QFETCH(QByteArray, value);
        QFETCH(QString, code);
        QFETCH(QString, words);
        Json json = qwen3();
        json[key.toStdString()] = parse_json(value.toStdString(), "test");
        const auto error = error_of([&] { config_of(json); });
        QVERIFY(error);
        QVERIFY2(QString(error->what()).startsWith("config.json") &&
                     QString(error->what()).contains(words),
                 error->what());
        QCOMPARE(QString::fromStdString(std::string(code_text(error->code()))), code);
    }
};

QTEST_APPLESS_MAIN(TestConfigFromHub)
#include "tst_config_from_hub.moc"
