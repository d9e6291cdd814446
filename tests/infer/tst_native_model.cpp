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

void add_files() {
    QTest::addColumn<std::string>("file");
    for (const std::string file :
         {"qwen3moe/qwen3moe.f32.gguf", "qwen3moe/hf", "mixtral/hf", "qwen3moe/qwen3moe.q8_0.gguf",
          "qwen3moe/qwen3moe.q4_k_m.gguf", "qwen3moe_wide/qwen3moe_wide.q4_k_m.gguf",
          "mixtral/mixtral.q4_k_m.gguf", "qwen3next/qwen3next.q4_k_m.gguf",
          "gpt_oss/gpt_oss.mxfp4.gguf"}) {
        QTest::addRow("%s", file.c_str()) << file;
    }
}

std::unique_ptr<ModelSource> open_gguf_model(const std::string& file) {
    return ModelSource::open(kGolden / "gguf/models" / file);
}

}  // namespace

class TestNativeModel : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void results_do_not_depend_on_threads_or_batches_data() { add_files(); }
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
