#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "prune/channel_plan.h"
#include "prune/expert_sets.h"
#include "prune/joint_choice.h"
#include "prune/select_experts.h"
#include "prune/stability.h"
#include "prune/task_mix.h"
#include "prune/tiny_stats.h"
#include "prune/write_pruned.h"
#include "routing/golden_example.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;
using tiny::keeping;

std::vector<std::string> warnings(const ExpertPlan& plan) {
    std::vector<std::string> codes;
    for (const Json& warning : plan.reasons.at("warnings")) codes.push_back(warning.at("code"));
    return codes;
}

bool warns(const ExpertPlan& plan, const std::string& code) {
    const auto codes = warnings(plan);
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

class TestSelectExperts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void keep_target_reads_shares_and_counts() {
        QCOMPARE(KeepTarget::parse("0.5").kept_of(32), std::int64_t{16});
        QCOMPARE(KeepTarget::parse("16").kept_of(32), std::int64_t{16});
        QCOMPARE(KeepTarget::parse("1.0").kept_of(32), std::int64_t{32});
        QCOMPARE(KeepTarget::parse("1").kept_of(32), std::int64_t{1});
        QCOMPARE(KeepTarget::parse(".75").kept_of(8), std::int64_t{6});
        // floor(N (1 - r) + 1e-9) experts go: of 10 with 0.75 two, not three.
        QCOMPARE(KeepTarget::parse("0.75").kept_of(10), std::int64_t{8});
        QCOMPARE(KeepTarget::parse("0.9").kept_of(10),
                 std::int64_t{9});  // 10 * (1 - 0.9) < 1 in floating point
    }

    void keep_target_refuses_what_means_nothing_data() {
        QTest::addColumn<QString>("text");
        for (const char* text :
             {"", "0", "-1", "0.0", "1.5", "50%", "half", "0.5x", "1e3", "nan", ".", "-0.5"}) {
            QTest::newRow(*text == '\0' ? "empty" : text) << text;
        }
    }
    void keep_target_refuses_what_means_nothing() {
        QFETCH(QString, text);
        QVERIFY_THROWS_EXCEPTION(Error, KeepTarget::parse(text.toStdString()));
    }

    void more_than_there_are_cannot_be_kept() {
        QVERIFY_THROWS_EXCEPTION(Error, KeepTarget::parse("33").kept_of(32));
        QVERIFY_THROWS_EXCEPTION(Error, KeepTarget().kept_of(32));
    }

    void golden_example_separates_the_criteria() {
        const ExpertStats stats = tiny::stats({golden_example::layer()}, 2);
        const MoeConfig config = tiny::config(1, 4, 2);
        QCOMPARE(select_experts(stats, config, keeping(3, "reap")).layers.at(0).kept,
                 (Ids{0, 1, 2}));
        QCOMPARE(select_experts(stats, config, keeping(3, "ean_mean")).layers.at(0).kept,
                 (Ids{1, 2, 3}));
    }

    void plan_says_where_it_comes_from() {
        SelectOptions options = keeping(3);
        options.accept = {"low_task_mass"};
        const ExpertPlan plan = select_experts(tiny::stats({golden_example::layer()}, 2),
                                               tiny::config(1, 4, 2), options);
        QCOMPARE(plan.model_hash, std::string("model"));
        QCOMPARE(plan.stats_hash, std::string("stats"));
        QCOMPARE(plan.criterion, std::string("reap"));
        QCOMPARE(plan.accept, options.accept);
        const Json& layer = plan.reasons.at("layers").at(0);
        QVERIFY(std::abs(layer.at("cut_score").get<double>() - 2.689414) < 1e-6);
        QVERIFY(std::abs(layer.at("gate_mass_lost").get<double>() - 0.268941 / 3) < 1e-6);
    }

    void keeping_all_removes_none() {
        const ExpertPlan plan = select_experts(tiny::stats({golden_example::layer()}, 2),
                                               tiny::config(1, 4, 2), keeping(4));
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 1, 2, 3}));
        QCOMPARE(plan.reasons.at("task_mass").at("").get<double>(), 1.0);
    }

    void ties_go_to_the_higher_count_then_to_the_lower_id() {
        const auto layer = tiny::layer({5, 9, 9, 5}, {1, 1, 1, 1});
        const auto plan = select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keeping(3));
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 1, 2}));
    }

    void never_activated_experts_go_first_and_are_listed() {
        const auto layer = tiny::layer({5, 0, 9, 0, 1, 3}, {1, 0, 2, 0, 0.01, 3});
        const auto plan = select_experts(tiny::stats({layer}), tiny::config(1, 6, 1), keeping(4));
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 2, 4, 5}));
        QCOMPARE(plan.reasons.at("layers").at(0).at("never_activated").dump(),
                 std::string("[1,3]"));
        QVERIFY(warns(plan, "dead_experts"));
    }

    void permuting_experts_permutes_the_choice() {
        const std::vector<std::int64_t> count{5, 2, 9, 4, 1, 3};
        const std::vector<double> reap{1, 4, 2, 7, 0.5, 3};
        const std::vector<std::size_t> order{3, 5, 0, 1, 4, 2};
        std::vector<std::int64_t> moved_count;
        std::vector<double> moved_reap;
        for (const std::size_t from : order) {
            moved_count.push_back(count[from]);
            moved_reap.push_back(reap[from]);
        }
        const MoeConfig config = tiny::config(1, 6, 1);
        const auto kept =
            select_experts(tiny::stats({tiny::layer(count, reap)}), config, keeping(3))
                .layers.at(0)
                .kept;
        const auto moved =
            select_experts(tiny::stats({tiny::layer(moved_count, moved_reap)}), config, keeping(3))
                .layers.at(0)
                .kept;
        Ids translated;
        for (const auto id : moved) {
            translated.push_back(static_cast<std::int32_t>(order[static_cast<std::size_t>(id)]));
        }
        std::sort(translated.begin(), translated.end());
        QCOMPARE(translated, kept);
    }

    void layer_without_tokens_is_refused() {
        const auto empty = tiny::layer({0, 0, 0, 0}, {0, 0, 0, 0});
        const auto stats = tiny::stats({golden_example::layer(), empty});
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(2, 4, 1), keeping(2)));
    }

    void layer_without_statistics_is_refused() {
        const auto stats = tiny::stats({golden_example::layer()});
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(2, 4, 1), keeping(2)));
    }

    void fewer_than_each_token_needs_are_refused() {
        const auto stats = tiny::stats({golden_example::layer()}, 2);
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(1, 4, 2), keeping(1)));
    }

    void statistics_of_another_model_are_refused() {
        const auto stats = tiny::stats({golden_example::layer()}, 2);
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(1, 8, 2), keeping(4)));
        MoeConfig dense = tiny::config(1, 4, 2);
        dense.layers[0].feed_forward = FeedForwardKind::Dense;
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, dense, keeping(4)));
    }

    void score_that_is_no_number_is_refused() {
        auto layer = golden_example::layer();
        layer.gated_norm_sum[1] = std::numeric_limits<double>::quiet_NaN();
        try {
            select_experts(tiny::stats({layer}, 2), tiny::config(1, 4, 2), keeping(3));
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NumberInvalid);
        }
    }

    void super_expert_stays_whatever_its_score() {
        auto first = tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1});
        first.max_abs = {1, 1, 1, 80};
        auto last = tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1});
        last.max_abs = {1, 1, 1, 90};  // outside the first 75 % of two layers
        const auto stats = tiny::stats({first, last});
        QCOMPARE(super_experts(stats).size(),
                 std::size_t{0});  // 80 is below the 99.5th percentile of eight

        std::vector<LayerStats> many(8, tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1}));
        many[2].max_abs = {1, 1, 1, 80};
        many[7].max_abs = {1, 1, 1, 70};
        const auto wide = tiny::stats(many);
        const std::vector<std::pair<std::int64_t, std::int32_t>> expected{{2, 3}};
        QCOMPARE(super_experts(wide), expected);
        SelectOptions options = keeping(2);
        options.protects_super_experts = true;
        const auto plan = select_experts(wide, tiny::config(8, 4, 1), options);
        QCOMPARE(plan.layers.at(2).kept, (Ids{0, 3}));
        QCOMPARE(plan.layers.at(1).kept, (Ids{0, 1}));
        QCOMPARE(plan.reasons.at("layers").at(2).at("super_experts").dump(), std::string("[3]"));
        QCOMPARE(plan.layers.at(7).kept, (Ids{0, 1}));
    }

    void lost_probability_is_told_and_made_up_for_on_request() {
        auto layer = tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1});
        layer.router_mass = {10, 6, 3, 1};  // of 20 tokens
        const auto stats = tiny::stats({layer});
        MoeConfig config = tiny::config(1, 4, 2);
        SelectOptions options = keeping(2);
        options.compensates_lost_mass = true;
        // Normalised gates do not grow.
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, options));
        config.router.normalises_top_k = false;
        const ExpertPlan plan = select_experts(stats, config, options);
        QCOMPARE(plan.layers.at(0).output_scale, 0.8);
        QCOMPARE(plan.reasons.at("layers").at(0).at("lost_mass").get<double>(), 1 - 0.8);
        QCOMPARE(plan.mask(config).output_scale, (std::vector<float>{0.8F}));
        QVERIFY(expert_plan_from_json(to_json(plan), "plan") == plan);
        const auto codes = [](const ExpertPlan& made) {
            std::set<std::string> names;
            for (const Json& warning : made.reasons.at("warnings"))
                names.insert(warning.at("code").get<std::string>());
            return names;
        };
        QVERIFY(!codes(plan).contains("lost_mass"));
        options.compensates_lost_mass = false;
        const ExpertPlan plain = select_experts(stats, config, options);
        QVERIFY(!plain.scales_outputs());
        QVERIFY(codes(plain).contains("lost_mass"));
        // What older files say nothing of.
        options.compensates_lost_mass = true;
        layer.router_mass.clear();
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(tiny::stats({layer}), config, options));
    }

    void outliers_of_the_last_layers_stay_on_request() {
        std::vector<LayerStats> many(8, tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1}));
        many[2].max_abs = {1, 1, 1, 80};
        many[7].max_abs = {1, 1, 1, 81};
        const auto stats = tiny::stats(many);
        const std::vector<std::pair<std::int64_t, std::int32_t>> expected{{7, 3}};
        QCOMPARE(super_experts(stats, true), expected);  // 80 is below the percentile
        SelectOptions options = keeping(2);
        options.protects_outliers = true;
        QCOMPARE(select_experts(stats, tiny::config(8, 4, 1), options).layers.at(7).kept,
                 (Ids{0, 1}));  // unprotected altogether
        options.protects_super_experts = true;
        QCOMPARE(select_experts(stats, tiny::config(8, 4, 1), options).layers.at(7).kept,
                 (Ids{0, 3}));
    }

    void wishes_of_the_user_come_first() {
        SelectOptions options = keeping(2);
        options.wishes[0] = {{}, {3}, {0}};
        const auto stats = tiny::stats({tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1})});
        const auto plan = select_experts(stats, tiny::config(1, 4, 1), options);
        QCOMPARE(plan.layers.at(0).kept, (Ids{1, 3}));
        QCOMPARE(plan.layers.at(0).locked, (Ids{3}));
        QCOMPARE(plan.layers.at(0).forced_out, (Ids{0}));
    }

    void wishes_that_cannot_be_met_are_refused() {
        const auto stats = tiny::stats({tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1})});
        const MoeConfig config = tiny::config(1, 4, 1);
        const auto with = [](const LayerPlan& wish, std::int64_t layer = 0) {
            SelectOptions options = keeping(2);
            options.wishes[layer] = wish;
            return options;
        };
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, with({{}, {0, 1, 2}, {}})));
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, with({{}, {}, {0, 1, 2}})));
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, with({{}, {1}, {1}})));
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, with({{}, {4}, {}})));
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, with({{}, {1}, {}}, 5)));
    }

    void champions_of_each_task_stay() {
        // By all data expert 3 is the worst, but "prose" needs it most.
        auto layer = tiny::layer({50, 40, 30, 4}, {4, 3, 2, 1});
        layer.task_tokens = {100, 24};
        layer.task_count = {45, 38, 30, 0, 5, 2, 0, 4};
        layer.task_gate_sum.assign(8, 1.0);
        layer.task_gated_norm_sum = {180, 114, 60, 0, 1, 1, 0, 4};
        auto stats = tiny::stats({layer});
        stats.tasks = {"python", "prose"};
        SelectOptions options = keeping(2);
        options.champion_share = 0.25;
        const auto plan = select_experts(stats, tiny::config(1, 4, 1), options);
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 3}));
        options.champion_share = 0;
        QCOMPARE(select_experts(stats, tiny::config(1, 4, 1), options).layers.at(0).kept,
                 (Ids{0, 1}));
    }

    void low_task_mass_warns_and_must_be_accepted_before_writing() {
        auto layer = tiny::layer({50, 40, 30, 20}, {4, 3, 2, 1});
        layer.task_tokens = {100, 40};
        layer.task_count = {45, 38, 10, 0, 5, 2, 20, 20};
        layer.task_gate_sum.assign(8, 1.0);
        layer.task_gated_norm_sum = {180, 114, 20, 0, 20, 6, 40, 20};
        auto stats = tiny::stats({layer});
        stats.tasks = {"python", "prose"};
        const MoeConfig config = tiny::config(1, 4, 1);
        SelectOptions options = keeping(2);
        options.champion_share = 0;
        ExpertPlan plan = select_experts(stats, config, options);
        QVERIFY(std::abs(plan.reasons.at("task_mass").at("prose").get<double>() - 26.0 / 86.0) <
                1e-12);
        QVERIFY(warns(plan, "low_task_mass"));
        QVERIFY_THROWS_EXCEPTION(Error, require_writable(plan, config));
        plan.accept = {"low_task_mass"};
        require_writable(plan, config);
    }

    void different_counts_cannot_be_written() {
        ExpertPlan plan;
        plan.layers[0].kept = {0, 1};
        plan.layers[1].kept = {0, 1, 2};
        QVERIFY_THROWS_EXCEPTION(Error, require_writable(plan, tiny::config(2, 4, 1)));
        plan.layers[1].kept = {0, 3};
        require_writable(plan, tiny::config(2, 4, 1));
        QVERIFY_THROWS_EXCEPTION(
            Error, require_writable(plan, tiny::config(3, 4, 1)));  // layer 2 is whole
    }

    void deep_cuts_of_few_experts_warn() {
        const auto stats = tiny::stats({tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1})});
        QVERIFY(warns(select_experts(stats, tiny::config(1, 4, 1), keeping(2)), "deep_cut"));
        QVERIFY(!warns(select_experts(stats, tiny::config(1, 4, 1), keeping(3)), "deep_cut"));
    }

    void scores_within_their_error_of_the_cut_warn() {
        auto layer = tiny::layer({5, 5, 5, 5}, {4, 3, 2.9, 1});
        QVERIFY(!warns(select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keeping(2)),
                       "uncertain_cut"));
        for (double& square : layer.gated_norm_sq_sum) square += 5;  // variance 1, error 0.45
        QVERIFY(warns(select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keeping(2)),
                      "uncertain_cut"));
    }

    void choice_that_half_of_the_data_would_not_make_warns() {
        auto layer = tiny::layer({8, 8, 8, 8}, {4, 3, 2, 1});
        layer.half_count = {4, 4, 4, 4, 4, 4, 4, 4};
        layer.half_gated_norm_sum = {16, 12, 8, 4, 16, 12, 8, 4};
        const auto keep = keeping(2);
        QVERIFY(!warns(select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keep),
                       "unstable_choice"));
        layer.half_gated_norm_sum = {4, 8, 12, 16, 28, 16, 4, 0};
        QVERIFY(warns(select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keep),
                      "unstable_choice"));
    }

    void random_control_depends_on_the_seed_and_protects_nobody() {
        std::vector<LayerStats> many(
            8, tiny::layer({5, 5, 5, 5, 5, 5, 5, 5}, {8, 7, 6, 5, 4, 3, 2, 1}));
        many[2].max_abs = {1, 1, 1, 1, 1, 1, 1, 80};
        const auto stats = tiny::stats(many);
        SelectOptions options = keeping(4, "random");
        options.protects_super_experts = true;
        options.seed = 1;
        const auto first = select_experts(stats, tiny::config(8, 8, 1), options);
        QVERIFY(first == select_experts(stats, tiny::config(8, 8, 1), options));
        options.seed = 2;
        QVERIFY(first.layers != select_experts(stats, tiny::config(8, 8, 1), options).layers);
        QCOMPARE(first.reasons.at("layers").at(2).at("super_experts").size(), std::size_t{0});
    }

    void tasks_weigh_by_rank() {
        auto layer = tiny::layer({50, 40, 30, 20}, {4, 3, 2, 1});
        layer.task_tokens = {100, 40};
        layer.task_count = {10, 10, 10, 10, 10, 10, 10, 10};
        layer.task_gate_sum.assign(8, 1.0);
        layer.task_gated_norm_sum = {40, 30, 20, 10, 1, 2, 9, 8};
        auto stats = tiny::stats({layer});
        stats.tasks = {"python", "prose"};
        const MoeConfig config = tiny::config(1, 4, 1);
        const auto kept = [&](std::map<std::string, double> weights) {
            SelectOptions options = keeping(2);
            options.champion_share = 0;
            options.task_weights = std::move(weights);
            return select_experts(stats, config, options).layers.at(0).kept;
        };
        QCOMPARE(kept({}), (Ids{0, 1}));
        QCOMPARE(kept({{"python", 1}}), (Ids{0, 1}));
        QCOMPARE(kept({{"prose", 2}}), (Ids{2, 3}));
        // Ranks 3 2 1 0 and 0 1 3 2, over 3: 2 : 1 makes 6 5 5 2, and the tie goes by count.
        QCOMPARE(kept({{"python", 2}, {"prose", 1}}), (Ids{0, 1}));
        QCOMPARE(kept({{"python", 1}, {"prose", 1}}), (Ids{0, 2}));
        QVERIFY_THROWS_EXCEPTION(Error, kept({{"poetry", 1}}));
        QVERIFY_THROWS_EXCEPTION(Error, kept({{"prose", -1}}));
        QVERIFY_THROWS_EXCEPTION(Error, kept({{"prose", 0}}));
        SelectOptions by_norm = keeping(2, "ean_mean");
        by_norm.task_weights = {{"prose", 1}};
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, by_norm));
    }

    void equal_scores_share_their_rank() {
        QCOMPARE(rank_normalised({0, 5, 0, 7, 0}),
                 (std::vector<double>{0.25, 0.75, 0.25, 1, 0.25}));
    }

    void lowest_task_keeps_as_much_as_it_can() {
        constexpr std::size_t kExperts = 8;
        constexpr int kRounds = 20;
        Rng rng(3);
        double of_best = 0;
        for (int round = 0; round < kRounds; ++round) {
            auto layer = tiny::layer(std::vector<std::int64_t>(kExperts, 9),
                                     std::vector<double>(kExperts, 1.0));
            layer.task_tokens = {10, 10, 10};
            layer.task_count.assign(3 * kExperts, 3);
            layer.task_gate_sum.assign(3 * kExperts, 1.0);
            layer.task_gated_norm_sum.resize(3 * kExperts);
            for (double& mass : layer.task_gated_norm_sum) mass = std::pow(rng.uniform(), 3);
            auto stats = tiny::stats({layer});
            stats.tasks = {"a", "b", "c"};
            SelectOptions options = keeping(4);
            options.champion_share = 0;
            options.task_mix = TaskMix::MaxMin;
            const TaskShares shares = task_shares(layer, {1, 1, 1});
            const double found = lowest_task_share(
                shares,
                select_experts(stats, tiny::config(1, kExperts, 1), options).layers.at(0).kept);
            double best = 0;
            for (unsigned set = 0; set < 1U << kExperts; ++set) {
                Ids ids;
                for (unsigned e = 0; e < kExperts; ++e) {
                    if ((set >> e & 1U) != 0) ids.push_back(static_cast<std::int32_t>(e));
                }
                if (ids.size() == 4) best = std::max(best, lowest_task_share(shares, ids));
            }
            QVERIFY2(found >= 0.9 * best, qPrintable(QString::number(found / best)));
            of_best += found / best / kRounds;
        }
        QVERIFY2(of_best > 0.98, qPrintable(QString::number(of_best)));
    }

    void experts_on_either_side_of_the_cut_are_listed() {
        auto layer = tiny::layer({5, 5, 5, 5}, {4, 3, 2.9, 1});
        for (double& square : layer.gated_norm_sq_sum) square += 5;  // variance 1, error 0.45
        const auto plan = select_experts(tiny::stats({layer}), tiny::config(1, 4, 1), keeping(2));
        const Json& reasons = plan.reasons.at("layers").at(0);
        QCOMPARE(reasons.at("uncertain").dump(), std::string("[1,2]"));
        QVERIFY(std::abs(reasons.at("standard_error_at_cut").get<double>() - std::sqrt(0.2)) <
                1e-12);
    }

    void choices_by_doublings_of_the_data_are_compared() {
        auto layer = tiny::layer({16, 16, 16, 16}, {4, 3, 2, 1});
        layer.doubling_count = {2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8};
        // T/8 keeps 2 and 3, T/4 1 and 3, half of the data 0 and 1, and so does all of it.
        layer.doubling_gated_norm_sum = {1, 2, 3, 4, 1, 6, 0, 6, 40, 30, 0, 0, 22, 10, 29, 6};
        QCOMPARE(stability_curve(layer, 2), (std::vector<double>{1.0 / 3, 1.0 / 3, 1.0}));
        layer.doubling_count.assign(16, 0);  // of so few windows that none fell there
        QVERIFY(stability_curve(layer, 2).empty());
    }

    void names_of_scopes_and_mixes() {
        QVERIFY(parse_scope("across") == SelectScope::Across);
        QVERIFY(parse_task_mix("max-min") == TaskMix::MaxMin);
        QVERIFY_THROWS_EXCEPTION(Error, parse_scope("all"));
        QVERIFY_THROWS_EXCEPTION(Error, parse_task_mix("min-max"));
        QVERIFY((parse_task_weights("code=2,chat=0.5") ==
                 std::map<std::string, double>{{"code", 2}, {"chat", 0.5}}));
        QVERIFY(parse_task_weights("").empty());
        for (const char* text : {"code", "code=", "=1", "code=x", "code=-1", "code=1,code=2"}) {
            QVERIFY_THROWS_EXCEPTION(Error, parse_task_weights(text));
        }
        QCOMPARE(parse_layer_experts("3:5,17").second, (Ids{5, 17}));
        for (const char* text : {"3", "3:", "3:x", ":5", "-1:5", "3:5,-2", "3:5,,6"}) {
            QVERIFY_THROWS_EXCEPTION(Error, parse_layer_experts(text));
        }
    }

    void plans_of_constants_are_not_written() {
        auto layer = tiny::layer({5, 5, 5, 5}, {4, 3, 2, 1});
        layer.output_sum = {0, 5, 10, 15};  // one number each: nearly always 3 from the third
        for (std::size_t e = 0; e < 4; ++e) layer.norm_sq_sum[e] = 45.5;
        const MoeConfig config = tiny::config(1, 4, 1);
        const auto plan = select_experts(tiny::stats({layer}), config, keeping(2, "mone"));
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 1}));  // those that vary most stay
        QVERIFY_THROWS_EXCEPTION(Error, require_writable(plan, config));
    }

    void each_group_keeps_as_many() {
        // The four best experts are all of the first group.
        const std::vector<std::int64_t> count{9, 9, 9, 9, 9, 9, 9, 9};
        const std::vector<double> reap{8, 7, 6, 5, 4, 1, 3, 2};
        MoeConfig config = tiny::config(1, 8, 2);
        config.router.num_groups = 2;
        config.router.top_groups = 1;
        const auto stats = tiny::stats({tiny::layer(count, reap)}, 2);
        const auto plan = select_experts(stats, config, keeping(4));
        QCOMPARE(plan.layers.at(0).kept, (std::vector<std::int32_t>{0, 1, 4, 6}));
        // Three are no equal shares; with two, one a group, a token could not reach its two.
        for (const std::int64_t kept : {3, 2}) {
            QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, config, keeping(kept)));
        }
    }
};

QTEST_APPLESS_MAIN(TestSelectExperts)
#include "tst_select_experts.moc"
