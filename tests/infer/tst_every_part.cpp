#include <QTest>
#include <stop_token>
#include <vector>

#include "base/cancel.h"
#include "infer/golden_models.h"
#include "infer/layerwise.h"
#include "infer/naive_model.h"
#include "infer/native_model.h"
#include "infer/random_model.h"
#include "infer/sample_configs.h"
#include "infer/weight_matrix.h"

using namespace espalier;

namespace {

/// Rounding of some hundred float operations in a row, of logits of size 1; a wrong formula is off
/// by 0.01 and more.
constexpr double kTolerance = 2e-4;

void add_configs() {
    QTest::addColumn<MoeConfig>("config");
    for (const auto& [name, config] : sample_configs()) {
        QTest::addRow("%s", name.c_str()) << config;
    }
}

std::vector<std::int32_t> some_tokens(std::int32_t count) {
    std::vector<std::int32_t> tokens;
    for (std::int32_t i = 0; i < count; ++i) tokens.push_back((i * 37 + i / 7 + i * i) % 40);
    return tokens;
}

/// Asks for a stop when the forward pass tells of its n-th event (0 = never).
class StopAt final : public ForwardObserver {
public:
    explicit StopAt(int event) : event_(event) {}

    std::stop_token token() const { return stop_.get_token(); }
    int events() const { return events_; }

    void on_activation(Activation, std::int64_t, std::span<const float>) override { count(); }
    void on_routing(std::int64_t, const RoutingView&) override { count(); }

private:
    void count() {
        if (++events_ == event_) stop_.request_stop();
    }

    std::stop_source stop_;
    int event_ = 0;
    int events_ = 0;
};

std::vector<float> all_logits(const ModelSource& source, std::span<const std::int32_t> tokens) {
    ThreadPool pool(2);
    NativeModel model(source, pool);
    KvCache cache(model.config());
    const auto logits = model.forward(tokens, cache, LogitsFor::AllTokens);
    return {logits.begin(), logits.end()};
}

std::vector<std::vector<float>> scored_logits(
    NativeModel& model, const std::vector<std::vector<std::int32_t>>& windows) {
    std::vector<std::vector<float>> logits(windows.size());
    LayerwiseSinks sinks;
    sinks.on_logits = [&](std::size_t window, std::size_t, std::span<const float> rows) {
        logits[window].insert(logits[window].end(), rows.begin(), rows.end());
    };
    score_layerwise(model, windows, sinks);
    return logits;
}

std::vector<float> flatten(const NaiveModel::Rows& rows) {
    std::vector<float> values;
    for (const auto& row : rows) {
        for (const double value : row) values.push_back(static_cast<float>(value));
    }
    return values;
}

}  // namespace

Q_DECLARE_METATYPE(espalier::MoeConfig)

/// Every part of every family, on random models, against formulas in double.
class TestEveryPart : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void logits_match_the_formulas_data() { add_configs(); }
    void logits_match_the_formulas() {
        QFETCH(MoeConfig, config);
        const RandomModel source(config, 17);
        // Across the blocks of 16 queries, of 64 keys, and beyond 128.
        const auto tokens = some_tokens(133);
        const auto expected = flatten(NaiveModel(source).forward(tokens));
        const double error = largest_difference(all_logits(source, tokens), expected);
        QVERIFY2(error <= kTolerance, qPrintable(QString::number(error)));
    }

    void cuts_of_a_sequence_do_not_matter_data() { add_configs(); }
    void cuts_of_a_sequence_do_not_matter() {
        QFETCH(MoeConfig, config);
        const RandomModel source(config, 18);
        const auto tokens = some_tokens(150);
        const auto whole = all_logits(source, tokens);
        ThreadPool pool(1);
        NativeModel model(source, pool);
        const auto vocab = static_cast<std::size_t>(config.vocab_size);
        const auto span = std::span<const std::int32_t>(tokens);
        const std::vector<std::vector<std::size_t>> cuts = {std::vector<std::size_t>(150, 1),
                                                            {64, 64, 22},
                                                            {63, 1, 2, 64, 20},
                                                            {1, 65, 84},
                                                            {33, 31, 86},
                                                            {128, 1, 21}};
        for (const auto& lengths : cuts) {
            KvCache cache(config);
            std::size_t begin = 0;
            for (const std::size_t length : lengths) {
                const auto logits =
                    model.forward(span.subspan(begin, length), cache, LogitsFor::AllTokens);
                const auto same = std::span(whole).subspan(begin * vocab, length * vocab);
                const double error = largest_difference(logits, same);
                // Latent attention has two orders of summation; all else is the same bits.
                const bool is_exact = config.layers[0].mixer != MixerKind::LatentAttention;
                QVERIFY2(error <= (is_exact ? 0.0 : kTolerance),
                         qPrintable(QString("from %1: %2").arg(begin).arg(error)));
                begin += length;
            }
            QCOMPARE(begin, tokens.size());
        }
    }

    void threads_do_not_matter_data() { add_configs(); }
    void threads_do_not_matter() {
        QFETCH(MoeConfig, config);
        const RandomModel source(config, 19);
        const auto tokens = some_tokens(80);
        const auto two = all_logits(source, tokens);
        for (const std::size_t threads : {1U, 3U}) {
            ThreadPool pool(threads);
            NativeModel model(source, pool);
            KvCache cache(config);
            QVERIFY(std::ranges::equal(model.forward(tokens, cache, LogitsFor::AllTokens), two));
        }
    }

    void where_rows_lie_does_not_matter_data() { add_configs(); }
    void where_rows_lie_does_not_matter() {
        QFETCH(MoeConfig, config);
        const auto tokens = some_tokens(40);
        const auto expected = all_logits(RandomModel(config, 20), tokens);
        const std::vector<std::vector<std::int32_t>> windows = {tokens};
        for (const auto layout :
             {RandomLayout::Spread, RandomLayout::Shuffled, RandomLayout::OnlyDecoded}) {
            const RandomModel source(config, 20, layout);
            QVERIFY(all_logits(source, tokens) == expected);
            // Copies are dropped after each layer and made again for the next pass.
            ThreadPool pool(1);
            NativeModel model(source, pool);
            for (int pass = 0; pass < 2; ++pass) {
                QVERIFY(scored_logits(model, windows).front() == expected);
            }
        }
    }

    void decoded_matrices_lose_nothing_as_bfloat16() {
        const MoeConfig config = sample_configs().front().second;
        const auto tokens = some_tokens(20);
        const RandomModel in_place(config, 21, RandomLayout::InPlace, true);
        const RandomModel decoded(config, 21, RandomLayout::OnlyDecoded, true);
        QCOMPARE(all_logits(decoded, tokens), all_logits(in_place, tokens));
        const WeightMatrix matrix = [&] {
            WeightMatrix made(decoded, {TensorRole::AttentionQ, 0});
            made.prepare();
            return made;
        }();
        QCOMPARE(matrix.view().dtype, DType::BF16);
    }

    void windows_scored_layer_by_layer_do_not_mix_data() { add_configs(); }
    void windows_scored_layer_by_layer_do_not_mix() {
        QFETCH(MoeConfig, config);
        const RandomModel source(config, 22);
        const auto tokens = some_tokens(90);
        const std::vector<std::vector<std::int32_t>> windows = {
            {tokens.begin(), tokens.begin() + 60}, {tokens.begin() + 60, tokens.end()}};
        ThreadPool pool(2);
        NativeModel model(source, pool);
        const auto logits = scored_logits(model, windows);
        for (std::size_t w = 0; w < 2; ++w) QVERIFY(logits[w] == all_logits(source, windows[w]));
    }

    void nothing_begins_after_a_stop_request_data() { add_configs(); }
    void nothing_begins_after_a_stop_request() {
        QFETCH(MoeConfig, config);
        const RandomModel source(config, 23);
        ThreadPool pool(2);
        NativeModel model(source, pool);
        const auto tokens = some_tokens(40);
        KvCache cache(config);
        StopAt whole(0);
        model.forward(tokens, cache, LogitsFor::LastToken, &whole, whole.token());
        QVERIFY(whole.events() > 5);
        for (int event = 1; event < whole.events(); ++event) {
            cache.truncate(0);
            StopAt observer(event);
            QVERIFY_EXCEPTION_THROWN(
                model.forward(tokens, cache, LogitsFor::LastToken, &observer, observer.token()),
                Cancelled);
            QVERIFY2(observer.events() <= event + 1, qPrintable(QString::number(event)));
            QCOMPARE(cache.num_tokens(), std::int64_t{0});
        }
    }
};

QTEST_APPLESS_MAIN(TestEveryPart)
#include "tst_every_part.moc"
