#include <QTest>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "infer/golden_models.h"
#include "infer/native_model.h"
#include "infer/weight_matrix.h"

using namespace espalier;

namespace {

/// Every case of cases.json, under either spelling of its config.
void add_cases() {
    QTest::addColumn<std::string>("name");
    QTest::addColumn<std::string>("config");
    const Json cases = read_json_file(kGolden / "models/cases.json");
    for (const auto& item : cases.items()) {
        for (const std::string config : {"config.json", "config.legacy.json"}) {
            if (!std::filesystem::exists(kGolden / "models" / item.key() / config)) continue;
            QTest::addRow("%s %s", item.key().c_str(), config.c_str()) << item.key() << config;
        }
    }
}

/// Models that were made for GGUF.
const std::vector<std::string> kGgufModels = {"deepseek3", "glm4moe",  "gpt_oss",  "mixtral",
                                              "olmoe",     "qwen2moe", "qwen3moe", "qwen3next"};

void add_float_files() {
    QTest::addColumn<std::string>("file");
    QTest::addColumn<std::string>("reference");
    for (const std::string& model : kGgufModels) {
        QTest::addRow("%s/hf", model.c_str()) << model + "/hf" << std::string("f32");
    }
    QTest::addRow("qwen3moe.f32") << std::string("qwen3moe/qwen3moe.f32.gguf")
                                  << std::string("f32");
}

void add_all_files() {
    add_float_files();
    const auto add = [](const std::string& model, const std::string& type) {
        QTest::addRow("%s.%s", model.c_str(), type.c_str())
            << model + "/" + model + "." + type + ".gguf" << type + "_dequantised";
    };
    for (const std::string& model : kGgufModels) add(model, "q4_k_m");
    add("qwen3moe_wide", "q4_k_m");
    add("qwen3moe", "q8_0");
    add("gpt_oss", "mxfp4");
}

std::unique_ptr<ModelSource> open_gguf_model(const std::string& file) {
    return ModelSource::open(kGolden / "gguf/models" / file);
}

Json golden_json(const std::string& file) {
    const auto folder = kGolden / "gguf/models" / file.substr(0, file.find('/'));
    return read_json_file(folder / "golden.json");
}

}  // namespace

/// The engine against the numbers of the reference implementations.
class TestGoldenModels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_activation_matches_the_reference_data() { add_cases(); }
    void every_activation_matches_the_reference() {
        QFETCH(std::string, name);
        QFETCH(std::string, config);
        const GoldenCase golden(name, config);
        ThreadPool pool(2);
        NativeModel model(golden.source(), pool);
        Recorder recorder;
        for (const auto& row : input_rows(golden.golden())) {
            KvCache cache(model.config());
            model.forward(row, cache, LogitsFor::AllTokens, &recorder);
        }
        std::size_t compared = 0;
        for (const NamedTensor& tensor : golden.golden().tensors()) {
            if (tensor.name == "input_ids" || tensor.name == "loss") continue;
            ++compared;
            if (tensor.name.starts_with("router_topk_indices")) {
                QVERIFY2(recorder.selected[tensor.name] ==
                             tensor_values<std::int64_t>(golden.golden(), tensor.name),
                         tensor.name.c_str());
                continue;
            }
            const auto expected = tensor_values<float>(golden.golden(), tensor.name);
            const double error = largest_difference(recorder.values[tensor.name], expected);
            QVERIFY2(error <= golden.tolerance(tensor.name),
                     qPrintable(QString("%1: off by %2").arg(tensor.name.c_str()).arg(error)));
        }
        QVERIFY(compared > 10);
    }

    void greedy_tokens_match_with_a_cache_data() { add_cases(); }
    void greedy_tokens_match_with_a_cache() {
        QFETCH(std::string, name);
        QFETCH(std::string, config);
        const GoldenCase golden(name, config);
        ThreadPool pool(1);
        NativeModel model(golden.source(), pool);
        const auto expected = ids_of(golden.greedy()["generated_ids"]);
        QCOMPARE(greedy(model, ids_of(golden.greedy()["prompt_ids"]), expected.size()), expected);
    }

    /// Half of a gpt-oss checkpoint would be copied otherwise, at four times its size.
    void experts_in_pairs_of_tensors_are_used_in_place() {
        const GoldenCase golden("gpt_oss-mxfp4", "config.json");
        for (const TensorRole role :
             {TensorRole::ExpertGate, TensorRole::ExpertUp, TensorRole::ExpertDown}) {
            const WeightMatrix matrix(golden.source(), {role, 1, 3});
            QVERIFY(matrix.is_ready());  // nothing to prepare
            QCOMPARE(matrix.view().dtype, DType::MXFP4);
            QVERIFY(!matrix.view().scales.empty());
        }
    }

    void gguf_logits_match_the_dequantised_model_data() { add_all_files(); }
    void gguf_logits_match_the_dequantised_model() {
        QFETCH(std::string, file);
        QFETCH(std::string, reference);
        const auto source = open_gguf_model(file);
        const SafetensorsFile golden(kGolden / "gguf/models" / file.substr(0, file.find('/')) /
                                     "logits.safetensors");
        const auto tokens = tensor_values<std::int32_t>(golden, "tokens");
        const auto expected = tensor_values<float>(golden, reference);
        ThreadPool pool(2);
        NativeModel model(*source, pool);
        QVERIFY2(largest_difference(all_logits(model, tokens), expected) <= 1e-3,
                 reference.c_str());

        // Rounded activations move a token's worst logit by some 0.001 (0.02 beside BF16 weights,
        // where they are bfloat16), and more where two experts are nearly tied: the median counts.
        const bool is_bf16 = file.ends_with("/hf");
        for (const auto& [arithmetic, bound] :
             {std::pair{Arithmetic::Integer16, is_bf16 ? 0.05 : 4e-3},
              std::pair{Arithmetic::BFloat16, 0.05}}) {
            model.set_arithmetic(arithmetic);
            const auto logits = all_logits(model, tokens);
            const std::size_t vocab = logits.size() / tokens.size();
            std::vector<double> worst;
            for (std::size_t t = 0; t < tokens.size(); ++t) {
                worst.push_back(largest_difference(std::span(logits).subspan(t * vocab, vocab),
                                                   std::span(expected).subspan(t * vocab, vocab)));
            }
            std::nth_element(worst.begin(), worst.begin() + 15, worst.end());
            QVERIFY2(worst[15] <= bound, qPrintable(QString::number(worst[15])));
        }
    }

    void gguf_greedy_tokens_match_data() { add_float_files(); }
    void gguf_greedy_tokens_match() {
        QFETCH(std::string, file);
        const auto source = open_gguf_model(file);
        ThreadPool pool(1);
        NativeModel model(*source, pool);
        for (const Json& item : golden_json(file)["greedy"]) {
            const auto expected = ids_of(item["ids"]);
            QCOMPARE(greedy(model, ids_of(item["prompt_ids"]), expected.size()), expected);
        }
    }
};

QTEST_APPLESS_MAIN(TestGoldenModels)
#include "tst_golden_models.moc"
