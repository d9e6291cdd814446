#include <QTest>
#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "base/error.h"
#include "prune/search_plan.h"

using namespace espalier;

namespace {

constexpr std::int64_t kExperts = 8;
constexpr std::int64_t kLayers = 3;

std::vector<std::int32_t> identity() {
    std::vector<std::int32_t> order(kExperts);
    std::iota(order.begin(), order.end(), 0);
    return order;
}

SearchCandidate candidate(const std::string& name, const std::vector<std::int32_t>& kept) {
    SearchCandidate result{name, {}, {}};
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
        result.kept[layer] = kept;
        result.order[layer] = identity();
    }
    return result;
}

/// What goes costs its worth; two experts that can stand in for each other (0 and 1) cost more if
/// both go.
double cost_of(const KeptExperts& kept, const std::vector<double>& worth) {
    double cost = 0;
    for (const auto& [layer, experts] : kept) {
        const std::set<std::int32_t> stays(experts.begin(), experts.end());
        for (std::int32_t e = 0; e < kExperts; ++e) {
            if (!stays.contains(e)) cost += worth[static_cast<std::size_t>(e)];
        }
        if (!stays.contains(0) && !stays.contains(1)) cost += 10;
    }
    return cost;
}

SearchProblem problem(std::vector<SearchCandidate> candidates, std::vector<double> worth) {
    SearchProblem result;
    result.candidates = std::move(candidates);
    result.limits.num_experts = kExperts;
    result.measure = [worth](const KeptExperts& kept) { return cost_of(kept, worth); };
    result.measure_part = [worth](const KeptExperts& kept, std::size_t) {
        return cost_of(kept, worth);
    };
    result.may_go_on = [] { return true; };
    return result;
}

const std::vector<double> kWorth = {1, 1.5, 6, 5, 0.5, 7, 2, 4};

}  // namespace

class TestSearchPlan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void the_best_choice_is_found() {
        auto asked =
            problem({candidate("first", {0, 1, 2, 3}), candidate("last", {4, 5, 6, 7})}, kWorth);
        KeptExperts settled;
        asked.settle = [&](const KeptExperts& kept) { settled = kept; };
        const SearchResult found = search_plan(asked);
        for (const auto& [layer, kept] : found.kept) {
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 3, 5}));  // 1 stands in for 0
        }
        QCOMPARE(found.cost, 3 * (1 + 0.5 + 2 + 4.0));
        QCOMPARE(found.cost, cost_of(found.kept, kWorth));
        QCOMPARE(settled, found.kept);
        QCOMPARE(found.start, std::size_t{0});
        QCOMPARE(found.candidates[0].cost, 3 * 13.5);
        QCOMPARE(found.candidates[1].cost, 3 * 23.5);
        QVERIFY(found.is_exhausted);
        QVERIFY(found.swaps >= 3);
    }

    void layers_are_taken_from_other_candidates() {
        SearchCandidate mixed = candidate("mixed", {4, 5, 6, 7});
        mixed.kept[1] = {1, 2, 3, 5};
        auto asked = problem({candidate("first", {0, 1, 2, 3}), mixed}, kWorth);
        int measured = 0;
        asked.may_go_on = [&] { return ++measured < 9; };  // no time for exchanges
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.layers_taken, std::int64_t{1});
        QCOMPARE(found.kept.at(1), (std::vector<std::int32_t>{1, 2, 3, 5}));
        QCOMPARE(found.kept.at(0), (std::vector<std::int32_t>{0, 1, 2, 3}));
        QCOMPARE(found.swaps, std::int64_t{0});
    }

    void without_time_the_best_candidate_stands() {
        auto asked =
            problem({candidate("worse", {4, 5, 6, 7}), candidate("best", {0, 1, 2, 3})}, kWorth);
        asked.may_go_on = [] { return false; };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.start, std::size_t{1});
        QCOMPARE(found.kept, asked.candidates[1].kept);
        QVERIFY(!found.is_exhausted);
    }

    void locked_experts_stay_and_forced_ones_go() {
        auto asked = problem({candidate("first", {0, 1, 2, 3})}, kWorth);
        asked.limits.locked[0] = {0};
        asked.limits.forced_out[0] = {5};
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept.at(0), (std::vector<std::int32_t>{0, 2, 3, 7}));
        QCOMPARE(found.kept.at(1), (std::vector<std::int32_t>{1, 2, 3, 5}));
    }

    void groups_keep_their_numbers() {
        auto asked = problem({candidate("even", {0, 1, 4, 5})}, kWorth);
        asked.limits.num_groups = 2;
        const SearchResult found = search_plan(asked);
        for (const auto& [layer, kept] : found.kept) {
            // The best two of 0 to 3, but for the pair, and the best two of 4 to 7.
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 5, 7}));
        }
    }

    void experts_move_to_the_layer_that_needs_them() {
        auto asked = problem({candidate("even", {0, 1, 2, 3})}, kWorth);
        const auto measure = [](const KeptExperts& kept) {
            constexpr std::array kLayerWorth{11.0, 1.0, 0.1};
            double cost = 0;
            for (const auto& [layer, experts] : kept) {
                for (std::int32_t e = 0; e < kExperts; ++e) {
                    if (std::find(experts.begin(), experts.end(), e) != experts.end()) continue;
                    cost += kLayerWorth.at(static_cast<std::size_t>(layer)) *
                            kWorth[static_cast<std::size_t>(e)];
                }
            }
            return cost;
        };
        asked.measure = measure;
        asked.measure_part = [measure](const KeptExperts& kept, std::size_t) {
            return measure(kept);
        };
        asked.limits.least = 2;
        SearchResult found = search_plan(asked);
        QCOMPARE(found.moves, std::int64_t{0});
        for (const auto& [layer, kept] : found.kept) {
            QCOMPARE(kept, (std::vector<std::int32_t>{2, 3, 5, 7}));
        }
        asked.limits.moves_between_layers = true;
        found = search_plan(asked);
        QCOMPARE(found.kept.at(0), identity());
        QCOMPARE(found.kept.at(1), (std::vector<std::int32_t>{2, 5}));
        QCOMPARE(found.kept.at(2), (std::vector<std::int32_t>{2, 5}));
        QCOMPARE(found.moves, std::int64_t{4});
        QCOMPARE(found.cost, measure(found.kept));
    }

    void a_part_that_misleads_makes_nothing_worse() {
        auto asked = problem({candidate("first", {1, 2, 3, 5})}, kWorth);
        asked.measure_part = [](const KeptExperts& kept, std::size_t) {
            return -cost_of(kept, kWorth);
        };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept, asked.candidates[0].kept);
        QCOMPARE(found.swaps, std::int64_t{0});
    }

    void no_candidate_is_refused() {
        QVERIFY_EXCEPTION_THROWN(search_plan(problem({}, kWorth)), Error);
    }
};

QTEST_APPLESS_MAIN(TestSearchPlan)
#include "tst_search_plan.moc"
