#include <QTest>
#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "prune/kept_counts.h"
#include "prune/select_experts.h"
#include "prune/tiny_stats.h"
#include "prune/write_pruned.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;
using tiny::keeping;

/// Two layers of eight experts, the first the best; what goes from the second counts the less the
/// longer its stream is.
ExpertStats two_alike(double second_stream) {
    std::vector<LayerStats> layers(2,
                                   tiny::layer({5, 5, 5, 5, 5, 5, 5, 5}, {8, 7, 6, 5, 4, 3, 2, 1}));
    layers[0].hidden_sq_sum = {1};
    layers[1].hidden_sq_sum = {second_stream};
    return tiny::stats(layers);
}

}  // namespace

class TestLayerBudget : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void layers_share_a_budget() {
        // The second layer's stream is ten times as long, and so are its experts' outputs: the same
        // loss. The third loses almost nothing.
        std::vector<LayerStats> layers{
            tiny::layer({5, 5, 5, 5, 5, 5, 5, 5}, {8, 7, 6, 5, 4, 3, 2, 1}),
            tiny::layer({5, 5, 5, 5, 5, 5, 5, 5}, {80, 70, 60, 50, 40, 30, 20, 10}),
            tiny::layer({5, 5, 5, 5, 5, 5, 5, 5}, {8, 7, 6, 0.01, 0.01, 0.01, 0.01, 0.01})};
        layers[0].hidden_sq_sum = {1};
        layers[1].hidden_sq_sum = {100};
        layers[2].hidden_sq_sum = {1};
        const auto stats = tiny::stats(layers);
        const MoeConfig config = tiny::config(3, 8, 1);
        SelectOptions options = keeping(6);
        options.scope = SelectScope::Across;
        const auto plan = select_experts(stats, config, options);
        // Six go: five that cost next to nothing, and one of the other layers, the first of equals.
        QCOMPARE(plan.layers.at(0).kept.size(), std::size_t{7});
        QCOMPARE(plan.layers.at(1).kept.size(), std::size_t{8});
        QCOMPARE(plan.layers.at(2).kept, (Ids{0, 1, 2}));
        const Json& budget = plan.reasons.at("budget").at("layers");
        QCOMPARE(budget.at(0).at("cost").get<double>(), 1.0);
        QVERIFY_THROWS_EXCEPTION(Error, require_writable(plan, config));

        options.pads_to_uniform = true;
        const auto padded = select_experts(stats, config, options);
        QCOMPARE(padded.reasons.at("budget").at("padded_to").get<int>(), 8);
        require_writable(padded, config);

        options.pads_to_uniform = false;
        options.wishes[2] = {{}, {3, 4, 5, 6, 7}, {0}};
        const auto locked = select_experts(stats, config, options);
        QCOMPARE(locked.layers.at(2).kept, (Ids{1, 2, 3, 4, 5, 6, 7}));
        std::size_t total = 0;
        for (const auto& [index, layer] : locked.layers) total += layer.kept.size();
        QCOMPARE(total, std::size_t{18});

        LayerStats old = layers[0];
        old.hidden_sq_sum.clear();
        QVERIFY_THROWS_EXCEPTION(
            Error, select_experts(tiny::stats({old, layers[1], layers[2]}), config, options));
    }

    void no_layer_goes_below_a_quarter() {
        SelectOptions options = keeping(4);
        options.scope = SelectScope::Across;
        const auto stats = two_alike(1e9);
        const auto plan = select_experts(stats, tiny::config(2, 8, 1), options);
        QCOMPARE(plan.layers.at(1).kept, (Ids{0, 1}));
        QCOMPARE(plan.layers.at(0).kept.size(), std::size_t{6});
        options.keep.experts = 1;
        try {
            select_experts(stats, tiny::config(2, 8, 1), options);
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY2(error.hint().find("nearest that can be kept is 2") != std::string::npos,
                     error.hint().c_str());
        }
    }

    void what_is_forced_out_goes_below_a_quarter() {
        SelectOptions options = keeping(4);
        options.scope = SelectScope::Across;
        options.wishes[1] = {{}, {}, {0, 1, 2, 3, 4, 5, 6}};
        const auto plan = select_experts(two_alike(1), tiny::config(2, 8, 1), options);
        QCOMPARE(plan.layers.at(1).kept, Ids{7});
        QCOMPARE(plan.layers.at(0).kept, (Ids{0, 1, 2, 3, 4, 5, 6}));
    }

    void a_layer_may_be_left_less_on_request() {
        SelectOptions options = keeping(4);
        options.scope = SelectScope::Across;
        options.lowest = 1;
        const auto stats = two_alike(1e9);
        QCOMPARE(select_experts(stats, tiny::config(2, 8, 1), options).layers.at(1).kept, Ids{0});
        options.lowest = 3;
        QCOMPARE(select_experts(stats, tiny::config(2, 8, 1), options).layers.at(1).kept,
                 (Ids{0, 1, 2}));
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(2, 8, 4), options));
        options.lowest = 9;
        QVERIFY_THROWS_EXCEPTION(Error, select_experts(stats, tiny::config(2, 8, 1), options));
    }

    void least_of_a_layer_data() {
        QTest::addColumn<int>("experts");
        QTest::addColumn<int>("top_k");
        QTest::addColumn<int>("across");
        QTest::addColumn<int>("measured");
        QTest::newRow("many") << 128 << 8 << 32 << 12;
        QTest::newRow("few") << 8 << 2 << 2 << 2;
        QTest::newRow("a third is chosen") << 12 << 4 << 4 << 4;
        QTest::newRow("odd") << 64 << 5 << 16 << 8;
    }
    void least_of_a_layer() {
        QFETCH(int, experts);
        QFETCH(int, top_k);
        QFETCH(int, across);
        QFETCH(int, measured);
        const RouterConfig router = tiny::config(1, experts, top_k).router;
        QCOMPARE(lowest_across(router), std::int64_t{across});
        QCOMPARE(lowest_measured(router), std::int64_t{measured});
    }

    void what_cannot_be_kept_names_what_can_data() {
        QTest::addColumn<int>("kept");
        QTest::addColumn<int>("groups");
        QTest::addColumn<int>("top_k");
        QTest::addColumn<std::vector<std::int32_t>>("locked");
        QTest::addColumn<std::vector<std::int32_t>>("forced_out");
        QTest::addColumn<QString>("nearest");
        const Ids none;
        QTest::newRow("too few") << 3 << 1 << 4 << none << none << "is 4.";
        QTest::newRow("unequal groups") << 5 << 4 << 2 << none << none << "is 4.";
        QTest::newRow("between, the larger") << 6 << 4 << 2 << none << none << "is 8.";
        QTest::newRow("out of reach") << 4 << 4 << 4 << none << none << "is 8.";
        QTest::newRow("locked") << 4 << 1 << 2 << Ids{0, 1, 2, 3, 4, 5} << none << "is 6.";
        QTest::newRow("locked in one group") << 4 << 4 << 2 << Ids{0, 1, 2} << none << "is 12.";
        QTest::newRow("forced out") << 14 << 1 << 2 << none << Ids{0, 1, 2} << "is 13.";
        QTest::newRow("forced out of a group") << 16 << 4 << 2 << none << Ids{0, 1} << "is 8.";
    }
    void what_cannot_be_kept_names_what_can() {
        QFETCH(int, kept);
        QFETCH(int, groups);
        QFETCH(int, top_k);
        QFETCH(std::vector<std::int32_t>, locked);
        QFETCH(std::vector<std::int32_t>, forced_out);
        QFETCH(QString, nearest);
        MoeConfig config = tiny::config(1, 16, top_k);
        config.router.num_groups = groups;
        config.router.top_groups = std::min(groups, 2);
        const auto stats = tiny::stats(
            {tiny::layer(std::vector<std::int64_t>(16, 5), std::vector<double>(16, 1.0))}, top_k);
        SelectOptions options = keeping(kept);
        options.wishes[0] = {{}, locked, forced_out};
        try {
            select_experts(stats, config, options);
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::RunRecipe);
            QVERIFY2(QString::fromStdString(error.hint()).contains(nearest), error.hint().c_str());
        }
    }
};

QTEST_APPLESS_MAIN(TestLayerBudget)
#include "tst_layer_budget.moc"
