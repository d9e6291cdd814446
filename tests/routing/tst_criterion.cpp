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
    /// The worked example with what only some criteria read, two numbers and channels an expert.
    static LayerStats with_everything() {
        LayerStats stats = golden_example::layer();
        stats.easy_ep_sum = {0.5, 2, 0.25, 1};
        stats.substitution_sum = {3, 6, 1.5, 0.75};
        stats.substitution_sq_sum = {9, 18, 1.25, 0.5625};
        stats.gated_gram = {13.4, 1,  0,  0,  //
                            1,    54, 2,  0,  //
                            0,    2,  91, 3,  //
                            0,    0,  3,  7.2};
        stats.output_sum = {3, 4, 6, 10, 5, 15, 8, 6};
        stats.channel_energy = {1, 2, 3, 4, 5, 6, 7, 8};
        stats.channel_max_sq = {1, 1, 2, 3, 4, 3, 7, 8};
        stats.down_column_sq = {1, 2, 3, 4, 1, 2, 3, 4};
        return stats;
    }
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

    void outputs_beyond_their_length() {
        LayerStats stats = with_everything();
        compare(score("easy_ep", stats), {0.5, 2, 0.25, 1});
        compare(score("sas", stats), {1, 2, 0.5, 0.25});  // of three tokens
        compare(score("hope", stats), {13.4, 54, 91, 7.2});
        compare(score("camera", stats), {1 + 2, 6 + 12, 4 + 6, 21 + 32});
        compare(channel_scores(stats, 0.5),
                {1, 2 * 1.5, 3 * 2.5, 4 * 3.5, 4.5, 2 * 4.5, 3 * 7, 4 * 8});
        // Experts 1 and 2 have two outputs each: half the squared half distance in each number.
        compare(score("mone", stats), {0, 9 + 9, 6.25 + 20.25, 0});
        stats.gate_sum = {1, 0.5, 2, 1};
        compare(score("mone_fused", stats), {0, 9, 53, 0});
    }

    void what_was_not_gathered_is_refused_with_the_command_data() {
        QTest::addColumn<std::string>("criterion");
        QTest::addColumn<std::string>("stat");
        for (const Criterion& criterion : criteria()) {
            if (!criterion.needed) continue;
            QTest::addRow("%s", std::string(criterion.name).c_str())
                << std::string(criterion.name) << std::string(stat_name(*criterion.needed));
        }
    }
    void what_was_not_gathered_is_refused_with_the_command() {
        QFETCH(std::string, criterion);
        QFETCH(std::string, stat);
        const LayerStats stats = empty_layer_stats(4, 0, StatChoice());
        try {
            score(criterion, stats);
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::RunRecipe);
            QVERIFY(error.hint().find("--stats " + stat) != std::string::npos);
        }
    }

    void standard_errors_of_other_means() {
        const LayerStats stats = with_everything();
        const auto error = [&](const char* name) {
            return find_criterion(name).standard_error(stats);
        };
        // Norms 2 and 10; of the three tokens 3, 0, 0.
        QVERIFY(std::abs(error("ean_mean")[1] - 4 / std::sqrt(2.0)) < 1e-12);
        QVERIFY(std::abs(error("sas")[0] - std::sqrt(2.0 / 3)) < 1e-12);
        QVERIFY(std::abs(error("reap_shrunk")[1] - error("reap")[1] * 2 / 18) < 1e-12);
        QVERIFY(!find_criterion("wean_sum").standard_error);
    }

    void a_task_is_scored_by_its_own_tokens() {
        LayerStats stats = with_everything();
        stats.task_tokens = {10, 20};
        stats.task_count = {1, 2, 0, 4, 2, 2, 2, 2};
        stats.task_gate_sum = {1, 1, 0, 1, 1, 1, 1, 1};
        stats.task_gated_norm_sum = {3, 5, 0, 8, 1, 1, 1, 1};
        stats.task_easy_ep_sum = {1, 2, 3, 4, 5, 6, 7, 8};
        const LayerStats task = task_stats(stats, 0);
        QCOMPARE(task.tokens, std::int64_t{10});
        compare(score("reap", task), {3, 2.5, 0, 2});
        compare(score("easy_ep", task_stats(stats, 1)), {5, 6, 7, 8});
        for (const Criterion& criterion : criteria()) {
            if (criterion.has_tasks) QCOMPARE(criterion.score(task, {}).size(), std::size_t{4});
        }
    }

    void expert_without_tokens_scores_zero_and_nothing_is_nan() {
        LayerStats stats = with_everything();
        stats.easy_ep_sum[2] = stats.substitution_sum[2] = stats.gated_gram[2 * 4 + 2] = 0;
        stats.channel_energy[4] = stats.channel_energy[5] = 0;
        stats.channel_max_sq[4] = stats.channel_max_sq[5] = 0;
        stats.output_sum[4] = stats.output_sum[5] = 0;
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
        LayerStats stats = empty_layer_stats(3, 0, StatChoice::all());
        stats.gated_gram.assign(9, 0.0);
        for (auto* values : {&stats.output_sum, &stats.channel_energy, &stats.channel_max_sq,
                             &stats.down_column_sq}) {
            values->assign(6, 0.0);
        }
        for (const Criterion& criterion : criteria()) {
            if (criterion.name == "random") continue;
            QCOMPARE(criterion.score(stats, {}), std::vector<double>(3, 0.0));
        }
    }

    void permuting_experts_permutes_scores() {
        const LayerStats stats = with_everything();
        const std::vector<std::size_t> order{2, 0, 3, 1};
        LayerStats permuted = stats;
        for (std::size_t e = 0; e < order.size(); ++e) {
            permuted.count[e] = stats.count[order[e]];
            permuted.gate_sum[e] = stats.gate_sum[order[e]];
            permuted.norm_sum[e] = stats.norm_sum[order[e]];
            permuted.gated_norm_sum[e] = stats.gated_norm_sum[order[e]];
            permuted.gated_norm_sq_sum[e] = stats.gated_norm_sq_sum[order[e]];
            permuted.max_abs[e] = stats.max_abs[order[e]];
            permuted.norm_sq_sum[e] = stats.norm_sq_sum[order[e]];
            permuted.easy_ep_sum[e] = stats.easy_ep_sum[order[e]];
            permuted.substitution_sum[e] = stats.substitution_sum[order[e]];
            for (std::size_t i = 0; i < 2; ++i) {
                permuted.output_sum[e * 2 + i] = stats.output_sum[order[e] * 2 + i];
                permuted.channel_energy[e * 2 + i] = stats.channel_energy[order[e] * 2 + i];
                permuted.channel_max_sq[e * 2 + i] = stats.channel_max_sq[order[e] * 2 + i];
                permuted.down_column_sq[e * 2 + i] = stats.down_column_sq[order[e] * 2 + i];
            }
            for (std::size_t i = 0; i < 4; ++i) {
                permuted.gated_gram[e * 4 + i] = stats.gated_gram[order[e] * 4 + order[i]];
            }
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
