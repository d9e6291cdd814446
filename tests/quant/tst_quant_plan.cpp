#include <QTest>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/model_source.h"
#include "quant/gguf_label.h"
#include "quant/quant_plan.h"
#include "quant/quant_policy.h"
#include "support/error_of.h"
#include "tensor/shape.h"

using namespace espalier;

namespace {

const std::filesystem::path kGolden = std::filesystem::path(ESPALIER_TEST_DATA) / "gguf";

MoeConfig qwen3_config(std::int64_t num_layers = 24, std::int64_t num_experts = 16,
                       bool tied = false) {
    MoeConfig config;
    config.family = "qwen3_moe";
    config.hidden_size = 512;
    config.vocab_size = 1024;
    config.context_length = 4096;
    config.moe_intermediate_size = 256;
    config.ties_embeddings = tied;
    config.attention = {.num_heads = 4,
                        .num_kv_heads = 2,
                        .head_dim = 128,
                        .scale = 0.0883883,
                        .qk_norm = QkNorm::PerHead,
                        .rope = {10000.0, 128}};
    config.router = {.num_experts = num_experts, .top_k = 2};
    config.layers.resize(static_cast<std::size_t>(num_layers));
    return config;
}

/// "q6_k*3 q4_k*2" or "q4_k" for all.
std::vector<std::string> unfold(const std::string& text, std::size_t count) {
    std::vector<std::string> types;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const std::size_t star = word.find('*');
        const std::size_t times =
            star == std::string::npos ? count : std::stoul(word.substr(star + 1));
        types.insert(types.end(), times, word.substr(0, star));
    }
    return types;
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::map<std::string, std::string> types_by_name(const QuantPlan& plan) {
    std::map<std::string, std::string> types;
    for (const PlannedTensor& tensor : plan.tensors) {
        types[tensor.spec.name] = lower_case(std::string(info(tensor.spec.dtype).name));
    }
    return types;
}

void compare_with_policy(const Json& policy, const QuantPlan& plan, std::size_t num_layers) {
    const auto types = types_by_name(plan);
    for (const auto& [role, golden] : policy.items()) {
        const auto expected = unfold(golden.get<std::string>(), num_layers);
        const bool is_outside = role == "output" || role == "token_embd";
        for (std::size_t layer = 0; layer < (is_outside ? 1 : num_layers); ++layer) {
            const std::string name =
                is_outside ? role + ".weight" : fmt::format("blk.{}.{}.weight", layer, role);
            QVERIFY2(types.contains(name), name.c_str());
            QVERIFY2(types.at(name) == expected[layer],
                     fmt::format("{} {}: {} instead of {}", plan.file_type, name, types.at(name),
                                 expected[layer])
                         .c_str());
        }
    }
}

}  // namespace

class TestQuantPlan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void follows_the_policy_of_llama_cpp_data() {
        QTest::addColumn<int>("experts");
        QTest::addColumn<bool>("tied");
        QTest::newRow("8 experts") << 8 << false;
        QTest::newRow("16 experts") << 16 << false;
        QTest::newRow("16 experts, tied") << 16 << true;
    }

    void follows_the_policy_of_llama_cpp() {
        QFETCH(int, experts);
        QFETCH(bool, tied);
        const Json all = read_json_file(kGolden / "quant_policy.json");
        const Json& policy = all.at(
            fmt::format("qwen3moe layers=24 experts={} {}", experts, tied ? "tied" : "untied"));
        const MoeConfig config = qwen3_config(24, experts, tied);
        int compared = 0;
        for (const std::string& type : known_file_types()) {
            if (type == "f32") continue;
            std::string key = type;
            std::transform(key.begin(), key.end(), key.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
            for (const bool has_importance : {false, true}) {
                const Json& rows = policy.at(key);
                const char* column = rows.contains("any") ? "any"
                                     : has_importance     ? "with_importance"
                                                          : "plain";
                compare_with_policy(rows.at(column),
                                    plan_quantization(config, type, {has_importance}), 24);
                ++compared;
            }
        }
        QCOMPARE(compared, 36);
    }

    void every_type_of_the_tiny_models_is_as_llama_cpp_chose_data() {
        QTest::addColumn<QString>("model");
        for (const char* name : {"qwen3moe", "mixtral", "qwen2moe", "olmoe", "qwen3next", "gpt_oss",
                                 "deepseek3", "glm4moe"}) {
            QTest::newRow(name) << name;
        }
    }

    void every_type_of_the_tiny_models_is_as_llama_cpp_chose() {
        QFETCH(QString, model);
        const auto folder = kGolden / "models" / model.toStdString();
        const auto source = ModelSource::open(folder / "hf");
        const Json manifest = read_json_file(folder / "manifest.json");
        for (const char* type : {"q8_0", "q4_k_m"}) {
            const auto types = types_by_name(plan_quantization(source->config(), type));
            QCOMPARE(types.size(), manifest["tensors"].size());
            for (const Json& row : manifest["tensors"]) {
                const auto name = row["name"].get<std::string>();
                QVERIFY2(types.contains(name), name.c_str());
                QCOMPARE(types.at(name), lower_case(row[type].get<std::string>()));
            }
        }
    }

    void f32_is_f32_throughout() {
        for (const PlannedTensor& tensor : plan_quantization(qwen3_config(), "f32").tensors) {
            QCOMPARE(tensor.spec.dtype, DType::F32);
        }
    }

    void routers_and_vectors_are_never_quantised() {
        for (const std::string& type : known_file_types()) {
            for (const PlannedTensor& tensor : plan_quantization(qwen3_config(), type).tensors) {
                const bool is_small =
                    tensor.key.role == TensorRole::Router || tensor.spec.shape.size() == 1;
                if (is_small) QCOMPARE(tensor.spec.dtype, DType::F32);
            }
        }
    }

    void short_rows_fall_back_data() {
        QTest::addColumn<int>("wished");
        QTest::addColumn<int>("row");
        QTest::addColumn<int>("got");
        const auto add = [](DType wished, int row, DType got) {
            QTest::addRow("%s in %d", info(wished).name.data(), row)
                << static_cast<int>(wished) << row << static_cast<int>(got);
        };
        add(DType::Q4_K, 512, DType::Q4_K);
        add(DType::Q2_K, 96, DType::Q4_0);
        add(DType::Q3_K, 96, DType::Q4_0);
        add(DType::Q4_K, 96, DType::Q5_0);
        add(DType::Q5_K, 2880, DType::Q5_1);
        add(DType::Q6_K, 96, DType::Q8_0);
        add(DType::Q8_0, 96, DType::Q8_0);
        add(DType::Q4_K, 40, DType::F16);
        add(DType::Q8_0, 40, DType::F16);
        add(DType::BF16, 7, DType::BF16);
    }

    void short_rows_fall_back() {
        QFETCH(int, wished);
        QFETCH(int, row);
        QFETCH(int, got);
        QCOMPARE(static_cast<int>(fallback_type(static_cast<DType>(wished), row)), got);
    }

    void the_output_of_odd_width_becomes_q8_0() {
        MoeConfig config = qwen3_config();
        config.hidden_size = 96;
        QCOMPARE(types_by_name(plan_quantization(config, "q4_k_m")).at("output.weight"),
                 std::string("q8_0"));
    }

    void counts_the_bytes_of_the_effective_types() {
        const auto source = ModelSource::open(kGolden / "models/qwen3moe/hf");
        const QuantPlan plan = plan_quantization(source->config(), "q8_0");
        std::uint64_t expected = 0;
        for (const PlannedTensor& tensor : plan.tensors) {
            const auto count = num_elements(tensor.spec.shape).value();
            expected += tensor.spec.dtype == DType::F32 ? 4 * count : count / 32 * 34;
        }
        QCOMPARE(plan.total_bytes(), expected);
    }

    void labels_the_size_as_the_converter_does() {
        const auto label = [](const char* model) {
            const auto source = ModelSource::open(kGolden / "models" / model / "hf");
            return size_label(plan_quantization(source->config(), "q8_0"));
        };
        QCOMPARE(label("qwen3moe"), std::string("8x415K"));
        QCOMPARE(label("mixtral"), std::string("4x446K"));
        QCOMPARE(label("qwen2moe"), std::string("4x404K"));
        QCOMPARE(label("qwen3next"), std::string("4x531K"));
    }

    void suggests_a_name_by_the_convention() {
        const auto source = ModelSource::open(kGolden / "models/qwen3moe/hf");
        const QuantPlan plan = plan_quantization(source->config(), "q4_k_m");
        QCOMPARE(suggested_gguf_name("Tiny Qwen", plan),
                 std::string("Tiny-Qwen-8x415K-Q4_K_M.gguf"));
    }

    void refuses_an_unknown_type() {
        const auto error = test::error_of([] { plan_quantization(qwen3_config(), "q9_9"); });
        QVERIFY(error && error->code() == ErrorCode::UsageInvalid);
        QVERIFY(error->hint().find("q4_k_m") != std::string::npos);
    }

    void refuses_what_gguf_cannot_say_data() {
        QTest::addColumn<int>("what");
        const char* const names[] = {"no renormalisation", "sigmoid", "dense layer",
                                     "sliding window", "family"};
        for (int i = 0; i < 5; ++i) QTest::newRow(names[i]) << i;
    }

    void refuses_what_gguf_cannot_say() {
        QFETCH(int, what);
        MoeConfig config = qwen3_config();
        if (what == 0) config.router.normalises_top_k = false;
        if (what == 1) config.router.scoring = RouterScoring::Sigmoid;
        if (what == 2) config.layers[1].feed_forward = FeedForwardKind::Dense;
        if (what == 3) config.layers[0] = {MixerKind::SlidingAttention, 128, FeedForwardKind::Moe};
        if (what == 4) config.family = "of_tomorrow";
        const auto error = test::error_of([&] { plan_quantization(config, "q8_0"); });
        QVERIFY(error && error->code() == ErrorCode::GgufInexpressible);
        QVERIFY(!error->hint().empty());
    }

    void linear_attention_has_keys_and_values_of_one_size() {
        const auto config_of = [](const char* model) {
            return ModelSource::open(kGolden / ".." / "models" / model)->config();
        };
        QVERIFY(!plan_quantization(config_of("qwen3_5_moe-hub-layout"), "q8_0").tensors.empty());
        const auto error =
            test::error_of([&] { plan_quantization(config_of("qwen3_5_moe-text"), "q8_0"); });
        QVERIFY(error && error->code() == ErrorCode::GgufInexpressible);
    }

    void accepts_a_window_that_nothing_falls_out_of() {
        MoeConfig config = qwen3_config();
        config.layers[0] = {MixerKind::SlidingAttention, config.context_length,
                            FeedForwardKind::Moe};
        QVERIFY(!plan_quantization(config, "q8_0").tensors.empty());
    }
};

QTEST_APPLESS_MAIN(TestQuantPlan)
#include "tst_quant_plan.moc"
