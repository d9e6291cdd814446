#include <QTest>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "routing/criterion.h"
#include "routing/golden_example.h"

using namespace espalier;

class TestCriterion : public QObject {
    Q_OBJECT

private:
    static std::vector<double> score(const std::string& name, const LayerStats& stats,
                                     CriterionContext context = {}) {
        return find_criterion(name).score(stats, context);
    }
    static void compare(const std::vector<double>& actual, const std::vector<double>& expected) {
        QCOMPARE(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i) {
            QVERIFY2(std::abs(actual[i] - expected[i]) <= 1e-6,
                     qPrintable(QString("expert %1: %2").arg(i).arg(actual[i], 0, 'g', 12)));
        }
    }

private Q_SLOTS:
    void golden_example_gives_the_scores_of_the_specification_data() {
        QTest::addColumn<std::string>("criterion");
        QTest::addColumn<bool>("normalised");
        QTest::addColumn<std::vector<double>>("expected");
        using Row = std::vector<double>;
        QTest::newRow("frequency") << std::string("frequency") << true << Row{1, 2, 2, 1};
        QTest::newRow("reap") << std::string("reap") << true
                              << Row{3.655293, 3.924234, 5.155293, 2.689414};
        QTest::newRow("reap, not normalised")
            << std::string("reap") << false << Row{3.219571, 3.548245, 4.550897, 2.368828};
        QTest::newRow("ean_sum") << std::string("ean_sum") << true << Row{5, 12, 16, 10};
        QTest::newRow("ean_mean") << std::string("ean_mean") << true << Row{5, 6, 8, 10};
        QTest::newRow("gate_mass")
            << std::string("gate_mass") << true << Row{0.731059, 1, 1, 0.268941};
        QTest::newRow("wean_sum") << std::string("wean_sum") << true
                                  << Row{3.655293, 7.848469, 10.310586, 2.689414};
        QTest::newRow("max_act") << std::string("max_act") << true << Row{4, 8, 12, 8};
        // By hand: expert 1 has gate * norm 0.268941 * 2 and 0.731059 * 10.
        QTest::newRow("reap_l2") << std::string("reap_l2") << true
                                 << Row{3.655293,
                                        std::sqrt((0.537883 * 0.537883 + 7.310586 * 7.310586) / 2),
                                        std::sqrt((0.806824 * 0.806824 + 9.503762 * 9.503762) / 2),
                                        2.689414};
        // The layer's mean score is 3.856059.
        QTest::newRow("reap_shrunk")
            << std::string("reap_shrunk") << true
            << Row{(3.655293 + 16 * 3.8560585) / 17, (7.848469 + 16 * 3.8560585) / 18,
                   (10.310586 + 16 * 3.8560585) / 18, (2.689414 + 16 * 3.8560585) / 17};
    }
    void golden_example_gives_the_scores_of_the_specification() {
        QFETCH(std::string, criterion);
        QFETCH(bool, normalised);
        QFETCH(std::vector<double>, expected);
        compare(score(criterion, golden_example::layer(normalised)), expected);
    }

    void reap_and_mean_norm_disagree_on_expert_three() {
        const LayerStats stats = golden_example::layer();
        const auto reap = score("reap", stats);
        const auto norm = score("ean_mean", stats);
        QCOMPARE(std::min_element(reap.begin(), reap.end()) - reap.begin(), 3);
        QCOMPARE(std::max_element(norm.begin(), norm.end()) - norm.begin(), 3);
    }

    void expert_without_tokens_scores_zero_and_nothing_is_nan() {
        LayerStats stats = golden_example::layer();
        stats.count[2] = 0;
        stats.gate_sum[2] = stats.norm_sum[2] = stats.gated_norm_sum[2] = 0;
        stats.gated_norm_sq_sum[2] = stats.norm_sq_sum[2] = stats.max_abs[2] = 0;
        for (const Criterion& criterion : criteria()) {
            const auto scores = criterion.score(stats, {});
            QCOMPARE(scores.size(), std::size_t{4});
            for (const double value : scores) QVERIFY(std::isfinite(value));
            if (criterion.name != "random") QCOMPARE(scores[2], 0.0);
        }
    }

    void every_score_is_zero_without_any_token() {
        const LayerStats stats = empty_layer_stats(3, 0);
        for (const Criterion& criterion : criteria()) {
            if (criterion.name == "random") continue;
            QCOMPARE(criterion.score(stats, {}), std::vector<double>(3, 0.0));
        }
    }

    void permuting_experts_permutes_scores() {
        const LayerStats stats = golden_example::layer();
        const std::vector<std::size_t> order{2, 0, 3, 1};
        LayerStats permuted = stats;
        for (std::size_t e = 0; e < order.size(); ++e) {
            permuted.count[e] = stats.count[order[e]];
            permuted.gate_sum[e] = stats.gate_sum[order[e]];
            permuted.norm_sum[e] = stats.norm_sum[order[e]];
            permuted.gated_norm_sum[e] = stats.gated_norm_sum[order[e]];
            permuted.gated_norm_sq_sum[e] = stats.gated_norm_sq_sum[order[e]];
            permuted.max_abs[e] = stats.max_abs[order[e]];
        }
        for (const Criterion& criterion : criteria()) {
            if (criterion.name == "random") continue;
            const auto before = criterion.score(stats, {});
            const auto after = criterion.score(permuted, {});
            for (std::size_t e = 0; e < order.size(); ++e) {
                QVERIFY(std::abs(after[e] - before[order[e]]) < 1e-12);
            }
        }
    }

    void random_depends_on_seed_and_layer_alone() {
        const LayerStats stats = golden_example::layer();
        QCOMPARE(score("random", stats, {0, 7}),
                 score("random", golden_example::layer(false), {0, 7}));
        QVERIFY(score("random", stats, {0, 7}) != score("random", stats, {1, 7}));
        QVERIFY(score("random", stats, {0, 7}) != score("random", stats, {0, 8}));
    }

    void standard_error_follows_its_formula() {
        const auto error = reap_standard_error(golden_example::layer());
        QCOMPARE(error[0], 0.0);                          // one token says nothing about spread
        const double spread = (7.310586 - 0.537883) / 2;  // of two values: half their distance
        QVERIFY(std::abs(error[1] - spread / std::sqrt(2.0)) < 1e-6);
    }

    void unknown_name_is_refused_with_the_known_ones() {
        try {
            find_criterion("reep");
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::RunRecipe);
            QVERIFY(error.hint().find("reap_shrunk") != std::string::npos);
        }
    }
};

QTEST_APPLESS_MAIN(TestCriterion)
#include "tst_criterion.moc"
