#include <QTest>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.h"
#include "infer/sampler.h"

using namespace espalier;

namespace {

constexpr int kDraws = 20000;

/// Share of each token over many draws.
std::map<std::int32_t, double> frequencies(const SamplingOptions& options,
                                           const std::vector<float>& logits,
                                           const std::vector<std::int32_t>& history = {}) {
    Sampler sampler(options);
    std::map<std::int32_t, double> counts;
    for (int i = 0; i < kDraws; ++i) counts[sampler.sample(logits, history)] += 1.0 / kDraws;
    return counts;
}

std::set<std::int32_t> drawn(const SamplingOptions& options, const std::vector<float>& logits) {
    std::set<std::int32_t> ids;
    for (const auto& [id, share] : frequencies(options, logits)) ids.insert(id);
    return ids;
}

/// Logits whose softmax is 0.5, 0.3, 0.15, 0.05 for ids 2, 0, 3, 1.
std::vector<float> known_logits() {
    return {std::log(0.3F), std::log(0.05F), std::log(0.5F), std::log(0.15F)};
}

using Ids = std::set<std::int32_t>;

}  // namespace

class TestSampler : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void greedy_takes_the_lower_id_of_equals() {
        Sampler sampler({});
        QCOMPARE(sampler.sample(std::vector<float>{1, 3, 3, 2}, {}), 1);
    }

    void draws_follow_the_probabilities() {
        const auto shares = frequencies({.temperature = 1.0}, known_logits());
        QVERIFY(std::abs(shares.at(2) - 0.5) < 0.015);
        QVERIFY(std::abs(shares.at(0) - 0.3) < 0.015);
        QVERIFY(std::abs(shares.at(3) - 0.15) < 0.015);
        QVERIFY(std::abs(shares.at(1) - 0.05) < 0.015);
    }

    void temperature_sharpens_and_flattens() {
        // p^2 normalised: 0.25 / 0.365
        QVERIFY(std::abs(frequencies({.temperature = 0.5}, known_logits()).at(2) - 0.6849) < 0.015);
        QVERIFY(std::abs(frequencies({.temperature = 1e6}, known_logits()).at(1) - 0.25) < 0.015);
    }

    void top_k_keeps_the_best() {
        QCOMPARE(drawn({.temperature = 1.0, .top_k = 2}, known_logits()), (Ids{2, 0}));
        QCOMPARE(drawn({.temperature = 1.0, .top_k = 99}, known_logits()), (Ids{0, 1, 2, 3}));
        QCOMPARE(drawn({.temperature = 1.0, .top_k = 2}, {1, 1, 1, 1}), (Ids{0, 1}));
    }

    void top_p_keeps_the_fewest_that_reach_it() {
        QCOMPARE(drawn({.temperature = 1.0, .top_p = 0.01}, known_logits()), (Ids{2}));
        QCOMPARE(drawn({.temperature = 1.0, .top_p = 0.6}, known_logits()), (Ids{2, 0}));
        QCOMPARE(drawn({.temperature = 1.0, .top_p = 0.9}, known_logits()), (Ids{2, 0, 3}));
        QCOMPARE(drawn({.temperature = 1.0, .top_p = 0.5}, {1, 1, 1, 1}), (Ids{0, 1}));
    }

    void min_p_drops_what_is_far_below_the_best() {
        QCOMPARE(drawn({.temperature = 1.0, .min_p = 0.2}, known_logits()), (Ids{2, 0, 3}));
        QCOMPARE(drawn({.temperature = 1.0, .min_p = 1.0}, known_logits()), (Ids{2}));
    }

    void filters_apply_one_after_the_other() {
        // Of the two best, 0.625 and 0.375, the first alone reaches 0.6.
        QCOMPARE(drawn({.temperature = 1.0, .top_k = 2, .top_p = 0.6}, known_logits()), (Ids{2}));
    }

    void repetition_is_penalised_on_both_sides_of_zero() {
        SamplingOptions options{.repetition_penalty = 2.0};
        QCOMPARE(Sampler(options).sample(std::vector<float>{4, 3, -1}, std::vector{0}), 1);
        QCOMPARE(Sampler(options).sample(std::vector<float>{-1, -1.5F, -9}, std::vector{0, 0}), 1);
        QCOMPARE(Sampler(options).sample(std::vector<float>{4, 3, -1}, std::vector{7, -1}), 0);
        options.repetition_window = 1;
        QCOMPARE(Sampler(options).sample(std::vector<float>{4, 3, -1}, std::vector{0, 2}), 0);
    }

    void the_seed_decides() {
        const auto draw = [](std::uint64_t seed) {
            Sampler sampler({.temperature = 1.0, .seed = seed});
            std::vector<std::int32_t> ids;
            for (int i = 0; i < 50; ++i) ids.push_back(sampler.sample(known_logits(), {}));
            return ids;
        };
        QCOMPARE(draw(1), draw(1));
        QVERIFY(draw(1) != draw(2));
    }

    void removed_logits_are_never_drawn() {
        constexpr float kGone = -std::numeric_limits<float>::infinity();
        QCOMPARE(drawn({.temperature = 5.0}, {kGone, 1, kGone, 0}), (Ids{1, 3}));
    }

    void broken_logits_are_an_error() {
        constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
        constexpr float kInfinity = std::numeric_limits<float>::infinity();
        for (const float bad : {kNaN, kInfinity}) {
            QVERIFY_EXCEPTION_THROWN(Sampler({}).sample(std::vector<float>{1, bad, 0}, {}), Error);
        }
        QVERIFY_EXCEPTION_THROWN(Sampler({}).sample(std::vector<float>{-kInfinity, -kInfinity}, {}),
                                 Error);
    }

    void settings_out_of_range_are_refused() {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const std::vector<SamplingOptions> wrong = {{.temperature = -0.1},
                                                    {.temperature = nan},
                                                    {.top_k = -1},
                                                    {.top_p = 0.0},
                                                    {.top_p = 1.1},
                                                    {.top_p = nan},
                                                    {.min_p = -0.1},
                                                    {.min_p = 1.1},
                                                    {.repetition_penalty = 0.0},
                                                    {.min_p = nan},
                                                    {.repetition_penalty = nan},
                                                    {.repetition_window = -1}};
        for (const auto& options : wrong) {
            QVERIFY_EXCEPTION_THROWN(Sampler{options}, Error);
        }
    }
};

QTEST_APPLESS_MAIN(TestSampler)
#include "tst_sampler.moc"
