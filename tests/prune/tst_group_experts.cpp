#include <QTest>
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "prune/group_functions.h"
#include "prune/select_experts.h"
#include "prune/tiny_stats.h"
#include "support/error_of.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;

/// Six experts, best first by REAP; outputs on a line (two tight pairs and two apart), logits of
/// two sampled tokens.
LayerStats six_experts() {
    LayerStats layer = tiny::layer({10, 20, 30, 40, 50, 60}, {6, 5, 4, 3, 2, 1});
    const std::vector<double> place{0, 10, 0.1, 10.1, 4, 7};
    for (std::size_t e = 0; e < place.size(); ++e) {
        const auto n = static_cast<double>(layer.count[e]);
        layer.output_sum.insert(layer.output_sum.end(), {n * place[e], n});
    }
    layer.router_profile = {1, 0, 0, 1, 1, 0.1, 0.1, 1, 1, 1, 2, 0};
    layer.gated_output_sum = {1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0};
    layer.input_sample = {1, 2};
    return layer;
}

GroupingTask task_of(const LayerStats& stats, Ids survivors, Ids leaving, Ids pinned = {}) {
    return {.stats = stats,
            .survivors = std::move(survivors),
            .leaving = std::move(leaving),
            .pinned = std::move(pinned)};
}

ExpertGroups sorted(ExpertGroups groups) {
    std::sort(groups.begin(), groups.end());
    return groups;
}

SelectOptions keeping(std::int64_t experts, const std::string& merge) {
    SelectOptions options;
    options.keep.experts = experts;
    options.merge = merge;
    return options;
}

ExpertPlan select(const ExpertStats& stats, const MoeConfig& config, SelectOptions options) {
    options.accept = {"low_task_mass"};
    return select_experts(stats, config, options);
}

std::set<std::int32_t> merged_ids(const LayerPlan& plan) {
    std::set<std::int32_t> ids;
    for (const auto& group : plan.groups) ids.insert(group.begin() + 1, group.end());
    return ids;
}

}  // namespace

class TestGroupExperts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void m_smoe_goes_by_router_logits() {
        const LayerStats stats = six_experts();
        // Profiles: 0 (1,0), 1 (0,1); 2 (1,.1), 5 (2,0) lie by 0; 3 (.1,1) by 1; 4 (1,1) between.
        QCOMPARE(group_m_smoe(task_of(stats, {0, 1}, {2, 3, 4, 5})),
                 ExpertGroups({{0, 2, 4, 5}, {1, 3}}));
        QCOMPARE(group_m_smoe(task_of(stats, {1, 0}, {2, 3, 4, 5})),
                 ExpertGroups({{1, 3, 4}, {0, 2, 5}}));  // the tie goes to the better survivor
    }

    void hc_smoe_clusters_mean_outputs() {
        const LayerStats stats = six_experts();
        // 0 and 2 lie at 0, 1 and 3 at 10, 4 at 4, 5 at 7. The distance of 4 and 5 is 3, that of 4
        // and {0, 2} 3.95, of 5 and {1, 3} 3.05.
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1, 2, 3}, {4, 5}))),
                 ExpertGroups({{0, 2}, {1, 3}, {4}, {5}}));
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1, 2}, {3, 4, 5}))),
                 ExpertGroups({{0, 2}, {1, 3}, {4, 5}}));
        // {4, 5} is at 5.5: 4.55 from {1, 3}, 5.45 from {0, 2}.
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1}, {2, 3, 4, 5}))),
                 ExpertGroups({{0, 2}, {1, 3, 4, 5}}));
        // Pinned experts never come together, and the pinned one survives.
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1, 2}, {3, 4, 5}, {0, 2}))),
                 ExpertGroups({{0}, {1, 3, 4, 5}, {2}}));
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1, 3}, {2, 4, 5}, {3}))),
                 ExpertGroups({{0, 2}, {3, 1}, {4, 5}}));
    }

    void hc_smoe_leaves_unused_experts_out() {
        LayerStats stats = six_experts();
        stats.count[4] = 0;
        QCOMPARE(sorted(group_hc_smoe(task_of(stats, {0, 1, 2}, {3, 5, 4}))),
                 ExpertGroups({{0, 2}, {1, 3}, {5}}));
        for (auto& n : stats.count) n = 0;
        QCOMPARE(group_hc_smoe(task_of(stats, {3, 1}, {0, 2})), ExpertGroups({{3}, {1}}));
    }

    void ream_fills_the_best_survivor_first() {
        const LayerStats stats = six_experts();
        QCOMPARE(group_ream(task_of(stats, {0, 1}, {2, 3, 4, 5})),
                 ExpertGroups({{0, 2, 3, 4, 5}, {1}}));
        // 20 experts, all alike: 15 go to the best, the rest to the second.
        LayerStats many = tiny::layer(std::vector<std::int64_t>(20, 1), std::vector<double>(20, 1));
        many.router_profile.assign(20, 1.0);
        many.gated_output_sum.assign(20, 1.0);
        Ids leaving;
        for (std::int32_t e = 2; e < 20; ++e) leaving.push_back(e);
        const ExpertGroups groups = group_ream(task_of(many, {0, 1}, leaving));
        QCOMPARE(groups[0].size(), kReamGroupSize);
        QCOMPARE(groups[1], Ids({1, 17, 18, 19}));
        // Beyond what one takes, the most alike go first: of 17 others, two of opposite output
        // stay.
        many.gated_output_sum[5] = many.gated_output_sum[9] = -1;
        const ExpertGroups chosen = group_ream(task_of(many, {0}, leaving));
        QCOMPARE(chosen.size(), std::size_t{1});
        QVERIFY(std::find(chosen[0].begin(), chosen[0].end(), 5) == chosen[0].end());
        QVERIFY(std::find(chosen[0].begin(), chosen[0].end(), 9) == chosen[0].end());
    }

    void partial_keeps_the_better_half() {
        const LayerStats stats = six_experts();
        // 0 and 1 stay as they are; 3 and 2 take in 4 (nearer to 2, at 0.1) and 5 (nearer to 3).
        QCOMPARE(sorted(group_partial(task_of(stats, {0, 1, 2, 3}, {4, 5}))),
                 ExpertGroups({{0}, {1}, {2, 4}, {3, 5}}));
        QCOMPARE(sorted(group_partial(task_of(stats, {0}, {1, 2}))), ExpertGroups({{0}}));
    }

    void missing_statistics_are_named() {
        const LayerStats bare = tiny::layer({1, 1, 1}, {1, 1, 1});
        for (const MergeMethod& method : merge_methods()) {
            const auto error = test::error_of([&] { method.group(task_of(bare, {0}, {1, 2})); });
            QVERIFY(error && error->code() == ErrorCode::RunRecipe);
            const bool by_output = method.name == "hc_smoe" || method.name == "partial";
            const QString needed = by_output ? "output_sum" : "profiles";
            QVERIFY(QString::fromStdString(error->what() + error->hint()).contains(needed));
        }
        const auto unknown = test::error_of([] { find_merge_method("average"); });
        QVERIFY(unknown && QString::fromStdString(unknown->hint()).contains("ream, hc_smoe"));
    }

    void plans_of_every_method_keep_the_count_data() {
        QTest::addColumn<QString>("method");
        for (const MergeMethod& method : merge_methods()) {
            QTest::newRow(method.name.data()) << QString::fromLatin1(method.name.data());
        }
    }

    void plans_of_every_method_keep_the_count() {
        QFETCH(QString, method);
        LayerStats layer = six_experts();
        const ExpertStats stats = tiny::stats({layer, layer, layer, layer});
        SelectOptions options = keeping(3, method.toStdString());
        options.wishes[1].locked = {4};
        options.wishes[2].forced_out = {0, 5};
        const MoeConfig config = tiny::config(4, 6, 1);
        const ExpertPlan plan = select(stats, config, options);
        QCOMPARE(QString::fromStdString(plan.merge), method);
        QVERIFY(plan.merges());
        QCOMPARE(plan, select(stats, config, options));
        for (const auto& [index, row] : plan.layers) {
            QCOMPARE(row.kept.size(), std::size_t{3});
            const auto merged = merged_ids(row);
            for (const std::int32_t id : row.kept) QVERIFY(!merged.contains(id));
            if (index != 2 && method != "hc_smoe") QCOMPARE(merged.size(), std::size_t{3});
        }
        const LayerPlan& locked = plan.layers.at(1);
        QVERIFY(std::binary_search(locked.kept.begin(), locked.kept.end(), 4));
        for (const auto& group : locked.groups) QVERIFY(group.front() != 4);
        const LayerPlan& forced = plan.layers.at(2);
        for (const std::int32_t id : {0, 5}) {
            QVERIFY(!std::binary_search(forced.kept.begin(), forced.kept.end(), id));
            QVERIFY(!merged_ids(forced).contains(id));
        }
        // What is written is what is read.
        QCOMPARE(expert_plan_from_json(to_json(plan), "plan"), plan);
    }

    void super_experts_are_left_alone_data() { plans_of_every_method_keep_the_count_data(); }

    void super_experts_are_left_alone() {
        QFETCH(QString, method);
        LayerStats layer = six_experts();
        layer.max_abs[3] = 1000;
        LayerStats plain = six_experts();
        const ExpertStats stats = tiny::stats({layer, plain, plain, plain});
        const ExpertPlan plan =
            select(stats, tiny::config(4, 6, 1), keeping(3, method.toStdString()));
        const LayerPlan& row = plan.layers.at(0);
        QVERIFY(std::binary_search(row.kept.begin(), row.kept.end(), 3));
        for (const auto& group : row.groups) {
            QVERIFY(std::find(group.begin(), group.end(), 3) == group.end());
        }
    }

    void members_stay_in_their_router_group() {
        LayerStats layer = six_experts();
        MoeConfig config = tiny::config(1, 6, 1);
        config.router.num_groups = 2;
        config.router.top_groups = 2;
        for (const MergeMethod& method : merge_methods()) {
            const ExpertPlan plan =
                select(tiny::stats({layer}), config, keeping(2, std::string(method.name)));
            for (const auto& group : plan.layers.at(0).groups) {
                for (const std::int32_t id : group) QCOMPARE(id / 3, group.front() / 3);
            }
            QCOMPARE(plan.layers.at(0).kept.size(), std::size_t{2});
            QCOMPARE(plan.layers.at(0).kept.front() / 3, 0);
            QCOMPARE(plan.layers.at(0).kept.back() / 3, 1);
        }
    }

    void m_smoe_goes_by_frequency_alone() {
        const ExpertStats stats = tiny::stats({six_experts()});
        SelectOptions options = keeping(2, "m_smoe");
        const ExpertPlan plan = select(stats, tiny::config(1, 6, 1), options);
        QCOMPARE(QString::fromStdString(plan.criterion), QString("frequency"));
        QCOMPARE(plan.layers.at(0).kept, Ids({4, 5}));
        options.criterion = "ean_mean";
        const auto error = test::error_of([&] { select(stats, tiny::config(1, 6, 1), options); });
        QVERIFY(error && QString(error->what()).contains("frequency"));
    }
};

QTEST_APPLESS_MAIN(TestGroupExperts)
#include "tst_group_experts.moc"
