#include <QTemporaryDir>
#include <QTest>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/cancel.h"
#include "base/error.h"
#include "infer/golden_models.h"
#include "infer/layerwise.h"
#include "infer/native_model.h"

using namespace espalier;

namespace {

/// The model of a golden case, under either spelling of its config.
class GoldenCase {
public:
    GoldenCase(const std::string& name, const std::string& config_file) {
        folder_ = kGolden / "models" / name;
        if (config_file != "config.json") folder_ = with_config(config_file);
        source_ = ModelSource::open(folder_);
        golden_ =
            std::make_unique<SafetensorsFile>(kGolden / "models" / name / "golden.safetensors");
        tolerances_ =
            read_json_file(kGolden / "models/cases.json")[name]["suggested_abs_tolerance"];
        greedy_ = read_json_file(kGolden / "models" / name / "greedy_ids.json");
    }

    const ModelSource& source() const { return *source_; }
    const SafetensorsFile& golden() const { return *golden_; }
    const Json& greedy() const { return greedy_; }
    double tolerance(const std::string& tensor) const {
        for (const auto* name : {"logits", "router_logits", "router_topk_weights"}) {
            if (tensor.starts_with(name)) return tolerances_[name].get<double>();
        }
        const auto* hidden = tolerances_.contains("hidden") ? "hidden" : "hidden_states";
        return tolerances_[hidden].get<double>();
    }

private:
    std::filesystem::path with_config(const std::string& config_file) {
        const std::filesystem::path copy = temporary_.path().toStdString();
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            if (entry.path().filename() == "config.json") continue;
            std::filesystem::copy_file(entry.path(), copy / entry.path().filename());
        }
        std::filesystem::copy_file(folder_ / config_file, copy / "config.json");
        return copy;
    }

    QTemporaryDir temporary_;
    std::filesystem::path folder_;
    std::unique_ptr<ModelSource> source_;
    std::unique_ptr<SafetensorsFile> golden_;
    Json tolerances_;
    Json greedy_;
};

void add_cases() {
    QTest::addColumn<std::string>("name");
    QTest::addColumn<std::string>("config");
    for (const std::string name : {"qwen3_moe-basic", "qwen3_moe-tied-sharded", "mixtral-basic"}) {
        for (const std::string config : {"config.json", "config.legacy.json"}) {
            QTest::addRow("%s %s", name.c_str(), config.c_str()) << name << config;
        }
    }
}

void add_float_files() {
    QTest::addColumn<std::string>("file");
    QTest::addColumn<std::string>("reference");
    for (const std::string file : {"qwen3moe/qwen3moe.f32.gguf", "qwen3moe/hf", "mixtral/hf"}) {
        QTest::addRow("%s", file.c_str()) << file << std::string("f32");
    }
}

void add_all_files() {
    add_float_files();
    const std::string q8_0 = "q8_0_dequantised";
    const std::string q4_k_m = "q4_k_m_dequantised";
    for (const auto& [file, reference] : {std::pair{"qwen3moe/qwen3moe.q8_0.gguf", q8_0},
                                          {"qwen3moe/qwen3moe.q4_k_m.gguf", q4_k_m},
                                          {"qwen3moe_wide/qwen3moe_wide.q4_k_m.gguf", q4_k_m},
                                          {"mixtral/mixtral.q4_k_m.gguf", q4_k_m}}) {
        QTest::addRow("%s", file) << std::string(file) << reference;
    }
}

std::unique_ptr<ModelSource> open_gguf_model(const std::string& file) {
    return ModelSource::open(kGolden / "gguf/models" / file);
}

Json golden_json(const std::string& file) {
    const auto folder = kGolden / "gguf/models" / file.substr(0, file.find('/'));
    return read_json_file(folder / "golden.json");
}

std::vector<float> all_logits(NativeModel& model, std::span<const std::int32_t> tokens) {
    KvCache cache(model.config());
    const auto logits = model.forward(tokens, cache, LogitsFor::AllTokens);
    return {logits.begin(), logits.end()};
}

std::vector<std::int32_t> greedy(NativeModel& model, const std::vector<std::int32_t>& prompt,
                                 std::size_t count) {
    KvCache cache(model.config());
    std::vector<std::int32_t> ids;
    std::int32_t next = argmax(model.forward(prompt, cache));
    for (;;) {
        ids.push_back(next);
        if (ids.size() == count) return ids;
        next = argmax(model.forward({&next, 1}, cache));
    }
}

}  // namespace

class TestNativeModel : public QObject {
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

        // Rounded activations move a token's worst logit by some 0.001, and more where two experts
        // are nearly tied: the median counts.
        model.set_arithmetic(Arithmetic::Integer16);
        const auto logits = all_logits(model, tokens);
        const std::size_t vocab = logits.size() / tokens.size();
        std::vector<double> worst;
        for (std::size_t t = 0; t < tokens.size(); ++t) {
            worst.push_back(largest_difference(std::span(logits).subspan(t * vocab, vocab),
                                               std::span(expected).subspan(t * vocab, vocab)));
        }
        std::nth_element(worst.begin(), worst.begin() + 15, worst.end());
        QVERIFY(worst[15] <= 4e-3);
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

    void results_do_not_depend_on_threads_or_batches_data() { add_all_files(); }
    void results_do_not_depend_on_threads_or_batches() {
        QFETCH(std::string, file);
        const auto source = open_gguf_model(file);
        std::vector<std::int32_t> tokens;
        for (std::int32_t i = 0; i < 150; ++i) tokens.push_back((i * 37 + i / 7) % 300);
        for (const Arithmetic arithmetic : {Arithmetic::Float32, Arithmetic::Integer16}) {
            std::vector<float> first;
            for (const std::size_t threads : {1U, 2U, 3U}) {
                ThreadPool pool(threads);
                NativeModel model(*source, pool);
                model.set_arithmetic(arithmetic);
                const auto whole = all_logits(model, tokens);
                if (first.empty()) first = whole;
                QVERIFY(whole == first);
                KvCache cache(model.config());
                const std::size_t vocab = whole.size() / tokens.size();
                const auto span = std::span<const std::int32_t>(tokens);
                for (std::size_t begin = 0, n = 1; begin < tokens.size();
                     begin += n, n = n % 5 + 1) {
                    n = std::min(n, tokens.size() - begin);
                    const auto last = model.forward(span.subspan(begin, n), cache);
                    QVERIFY(std::ranges::equal(
                        last, std::span(first).subspan((begin + n - 1) * vocab, vocab)));
                }
            }
        }
    }

    void layer_by_layer_gives_the_same_numbers() {
        const GoldenCase golden("qwen3_moe-basic", "config.json");
        ThreadPool pool(2);
        NativeModel model(golden.source(), pool);
        std::vector<std::vector<std::int32_t>> windows(3);
        for (std::int32_t i = 0; i < 100; ++i) {
            for (std::int32_t w = 0; w < 3; ++w) {
                windows[static_cast<std::size_t>(w)].push_back((i * 7 + w * 5 + i * w) % 128);
            }
        }
        windows[1].resize(1);
        std::vector<std::vector<float>> logits(3);
        std::vector<Recorder> recorders(3);
        std::int64_t layers = 0;
        score_layerwise(model, windows,
                        {.on_logits =
                             [&](std::size_t w, std::size_t first, std::span<const float> rows) {
                                 QCOMPARE(first * 128, logits[w].size());
                                 logits[w].insert(logits[w].end(), rows.begin(), rows.end());
                             },
                         .observer_of = [&](std::size_t w) { return &recorders[w]; },
                         .on_layer = [&](std::int64_t done) { layers = done; }});
        QCOMPARE(layers, model.config().num_layers());
        for (std::size_t w = 0; w < 3; ++w) {
            Recorder recorder;
            KvCache cache(model.config());
            const auto expected = model.forward(windows[w], cache, LogitsFor::AllTokens, &recorder);
            QVERIFY(std::ranges::equal(expected, logits[w]));
            QVERIFY(recorder.values == recorders[w].values);
            QVERIFY(recorder.selected == recorders[w].selected);
        }
    }

    void a_mask_removes_experts() {
        const GoldenCase golden("qwen3_moe-basic", "config.json");
        ThreadPool pool(1);
        NativeModel model(golden.source(), pool);
        ExpertMask mask;
        mask.removed.assign(3, std::vector<bool>(12, false));
        for (const std::size_t expert : {0U, 3U, 7U, 11U}) mask.removed[1][expert] = true;
        model.set_mask(mask);
        Recorder recorder;
        KvCache cache(model.config());
        const auto row = input_rows(golden.golden()).front();
        model.forward(row, cache, LogitsFor::LastToken, &recorder);
        for (const std::int64_t id : recorder.selected["router_topk_indices.1"]) {
            QVERIFY(!mask.is_removed(1, id));
        }
        QVERIFY(std::isinf(recorder.values["router_logits.1"][3]));
        QVERIFY(std::isfinite(recorder.values["router_logits.0"][3]));
        // Weights of the others are renormalised.
        const auto weights = std::span(recorder.values["router_topk_weights.1"]).first(3);
        QVERIFY(std::abs(weights[0] + weights[1] + weights[2] - 1.0F) < 1e-6F);

        model.set_mask({});
        QVERIFY(largest_difference(
                    all_logits(model, row),
                    std::span<const float>(tensor_values<float>(golden.golden(), "logits"))
                        .first(row.size() * 128)) < 2e-4);
    }

    void a_mask_that_leaves_too_few_is_refused() {
        const GoldenCase golden("qwen3_moe-basic", "config.json");
        ThreadPool pool(1);
        NativeModel model(golden.source(), pool);
        ExpertMask mask;
        mask.removed.assign(3, std::vector<bool>(12, true));
        QVERIFY_EXCEPTION_THROWN(model.set_mask(mask), Error);
        mask.removed.assign(2, {});
        QVERIFY_EXCEPTION_THROWN(model.set_mask(mask), Error);
    }

    void wrong_tokens_are_refused_and_leave_the_cache_alone() {
        const GoldenCase golden("mixtral-basic", "config.json");
        ThreadPool pool(1);
        NativeModel model(golden.source(), pool);
        KvCache cache(model.config(), 8);
        const std::vector<std::int32_t> good = {1, 2, 3};
        model.forward(good, cache);
        for (const std::int32_t bad : {-1, 128, 1 << 30}) {
            QVERIFY_EXCEPTION_THROWN(model.forward({&bad, 1}, cache), Error);
        }
        QVERIFY_EXCEPTION_THROWN(model.forward({}, cache), Error);
        QVERIFY_EXCEPTION_THROWN(model.forward(std::vector<std::int32_t>(6, 1), cache), Error);
        QCOMPARE(cache.num_tokens(), std::int64_t{3});
    }

    void stopping_leaves_the_cache_as_it_was() {
        const GoldenCase golden("mixtral-basic", "config.json");
        ThreadPool pool(2);
        NativeModel model(golden.source(), pool);
        KvCache cache(model.config());
        std::stop_source stop;
        stop.request_stop();
        const std::vector<std::int32_t> tokens = {1, 2, 3};
        QVERIFY_EXCEPTION_THROWN(
            model.forward(tokens, cache, LogitsFor::LastToken, nullptr, stop.get_token()),
            Cancelled);
        QCOMPARE(cache.num_tokens(), std::int64_t{0});
        model.forward(tokens, cache);
        QCOMPARE(cache.num_tokens(), std::int64_t{3});
    }

    void a_truncated_cache_goes_on_as_if_nothing_had_happened() {
        const GoldenCase golden("qwen3_moe-basic", "config.json");
        ThreadPool pool(1);
        NativeModel model(golden.source(), pool);
        const std::vector<std::int32_t> tokens = {5, 6, 7, 8, 9};
        const std::vector<std::int32_t> others = {50, 60, 70};
        KvCache cache(model.config());
        model.forward(std::span(tokens).first(2), cache);
        model.forward(others, cache);
        cache.truncate(2);
        const auto logits = model.forward(std::span(tokens).subspan(2), cache);
        const std::vector<float> resumed(logits.begin(), logits.end());
        KvCache fresh(model.config());
        QVERIFY(std::ranges::equal(model.forward(tokens, fresh), resumed));
    }
};

QTEST_APPLESS_MAIN(TestNativeModel)
#include "tst_native_model.moc"
