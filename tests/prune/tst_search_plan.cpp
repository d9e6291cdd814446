#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"
#include "prune/part_costs.h"
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
    SearchCandidate result{name, {}};
    for (std::int64_t layer = 0; layer < kLayers; ++layer) result.kept[layer] = kept;
    return result;
}

using Cost = std::function<double(const KeptExperts&)>;

/// An expansion that is exact.
class ExactCost final : public CostExpansion {
public:
    ExactCost(Cost cost, KeptExperts kept) : cost_(std::move(cost)), kept_(std::move(kept)) {}
    double change(std::int64_t layer, const std::vector<std::int32_t>& kept) const override {
        KeptExperts trial = kept_;
        trial[layer] = kept;
        return cost_(trial) - cost_(kept_);
    }
    void take(std::int64_t layer, const std::vector<std::int32_t>& kept) override {
        kept_[layer] = kept;
    }

private:
    Cost cost_;
    KeptExperts kept_;
};

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

SearchProblem problem(std::vector<SearchCandidate> candidates, Cost cost) {
    SearchProblem result;
    result.candidates = std::move(candidates);
    result.limits.num_experts = kExperts;
    result.measure = [cost](const KeptExperts& kept, std::size_t) { return cost(kept); };
    result.expand = [cost](const KeptExperts& kept, SearchProblem::Reach) {
        return std::make_unique<ExactCost>(cost, kept);
    };
    result.used = [] { return 0.0; };
    return result;
}

const std::vector<double> kWorth = {1, 1.5, 6, 5, 0.5, 7, 2, 4};

double worth(const KeptExperts& kept) { return cost_of(kept, kWorth); }

/// There is time until so many measurements have been made.
void give(SearchProblem& problem, int measurements) {
    auto count = std::make_shared<int>(measurements);
    problem.used = [count] { return *count > 0 ? 0.0 : 1.0; };
    problem.measure = [count, measure = problem.measure](const KeptExperts& kept,
                                                         std::size_t part) {
        --*count;
        return measure(kept, part);
    };
}

}  // namespace

class TestSearchPlan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void the_best_choice_is_found() {
        auto asked =
            problem({candidate("first", {0, 1, 2, 3}), candidate("last", {4, 5, 6, 7})}, worth);
        const SearchResult found = search_plan(asked);
        for (const auto& [layer, kept] : found.kept) {
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 3, 5}));  // 1 stands in for 0
        }
        QCOMPARE(found.cost, 3 * (1 + 0.5 + 2 + 4.0));
        QCOMPARE(found.cost, worth(found.kept));
        QCOMPARE(found.thinned_cost, found.cost);
        QCOMPARE(found.start, std::size_t{0});
        QCOMPARE(found.start_cost, 3 * 13.5);
        QCOMPARE(found.candidates[0].cost, 3 * 13.5);
        QCOMPARE(found.candidates[1].cost, 3 * 23.5);
        QVERIFY(found.is_exhausted);
    }

    void exchanges_mend_what_the_start_got_wrong() {
        // Seen from the whole model, the experts look the other way round.
        auto asked = problem({candidate("first", {0, 2, 3, 4})}, worth);
        asked.expand = [](const KeptExperts& kept, SearchProblem::Reach) {
            const bool is_whole = kept.at(0).size() > 4;
            const Cost cost = [is_whole](const KeptExperts& some) {
                return is_whole ? -worth(some) : worth(some);
            };
            return std::make_unique<ExactCost>(cost, kept);
        };
        const SearchResult found = search_plan(asked);
        QVERIFY(*found.thinned_cost > found.start_cost);
        for (const auto& [layer, kept] : found.kept) {
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 3, 5}));
        }
        QCOMPARE(found.swaps, std::int64_t{6});
        QCOMPARE(found.moves, std::int64_t{0});
    }

    void without_time_the_best_candidate_stands() {
        auto asked =
            problem({candidate("worse", {4, 5, 6, 7}), candidate("best", {0, 1, 2, 3})}, worth);
        asked.used = [] { return 1.0; };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.start, std::size_t{1});
        QCOMPARE(found.kept, asked.candidates[1].kept);
        QVERIFY(!found.thinned_cost);
        QVERIFY(!found.is_exhausted);
    }

    void when_time_ends_the_best_so_far_stands() {
        // Two candidates, in part and whole, and an exchange, which is no good.
        auto asked =
            problem({candidate("worse", {4, 5, 6, 7}), candidate("best", {0, 1, 2, 3})}, worth);
        asked.expand = [](const KeptExperts& kept, SearchProblem::Reach) {
            return std::make_unique<ExactCost>([](const KeptExperts& k) { return -worth(k); },
                                               kept);
        };
        give(asked, 5);
        const SearchResult found = search_plan(asked);
        QVERIFY(!found.thinned_cost);
        QCOMPARE(found.kept, asked.candidates[1].kept);
        QCOMPARE(found.cost, found.start_cost);
    }

    void when_time_ends_in_the_midst_of_thinning_no_more_experts_stay_than_may() {
        for (const bool moves : {false, true}) {
            auto asked = problem({candidate("best", {1, 2, 3, 5})}, worth);
            asked.limits.moves_between_layers = moves;
            auto thins = std::make_shared<bool>(false);
            asked.used = [thins] { return *thins ? 1.0 : 0.0; };
            asked.expand = [thins](const KeptExperts& kept, SearchProblem::Reach reach) {
                *thins = reach == SearchProblem::Reach::Thinning;
                return std::make_unique<ExactCost>(worth, kept);
            };
            const SearchResult found = search_plan(asked);
            QVERIFY(found.thinned_cost);
            std::size_t total = 0;
            for (const auto& [layer, kept] : found.kept) total += kept.size();
            QCOMPARE(total, std::size_t{kLayers * 4});
        }
    }

    void what_only_one_part_of_the_data_says_is_not_believed() {
        auto asked = problem({candidate("first", {0, 1, 2, 3})}, worth);
        asked.num_parts = 4;
        asked.measure = [](const KeptExperts& kept, std::size_t part) {
            // The first part overstates what the others deny.
            const double cost = worth(kept);
            return part == 0 ? 6 * cost : 100 - cost;
        };
        asked.expand = [](const KeptExperts& kept, SearchProblem::Reach) {
            // Thinning does the opposite, so that nothing but exchanges could help.
            const double sign = kept.at(0).size() > 4 ? -1 : 1;
            return std::make_unique<ExactCost>(
                [sign](const KeptExperts& k) { return sign * worth(k); }, kept);
        };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept, asked.candidates[0].kept);
        QCOMPARE(found.swaps, std::int64_t{0});
    }

    void of_exchanges_that_do_not_hold_together_those_that_do_are_made() {
        // In the first layer, whose exchange looks best, the expansion is wrong.
        auto asked = problem({candidate("first", {0, 2, 3, 5})}, worth);
        asked.expand = [](const KeptExperts& kept, SearchProblem::Reach) {
            if (kept.at(0).size() > 4) {
                return std::make_unique<ExactCost>([](const KeptExperts& k) { return -worth(k); },
                                                   kept);
            }
            return std::make_unique<ExactCost>(
                [](const KeptExperts& k) {
                    return worth(k) - 2 * worth({{0, k.at(0)}});
                },
                kept);
        };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept.at(0), (std::vector<std::int32_t>{0, 2, 3, 5}));
        QCOMPARE(found.kept.at(1), (std::vector<std::int32_t>{1, 2, 3, 5}));
        QCOMPARE(found.kept.at(2), (std::vector<std::int32_t>{1, 2, 3, 5}));
        QCOMPARE(found.swaps, std::int64_t{2});
    }

    void expansions_on_other_data_are_held_together() {
        // Each alone overrates an expert, and so do any two.
        auto asked = problem({candidate("first", {0, 2, 3, 5})}, worth);
        asked.num_expansions = 3;
        auto count = std::make_shared<std::size_t>(0);
        asked.expand = [count](const KeptExperts& kept, SearchProblem::Reach) {
            constexpr std::array<std::int32_t, 3> kOverrated{7, 6, 4};
            const std::int32_t overrated = kOverrated.at((*count)++ % 3);
            return std::make_unique<ExactCost>(
                [overrated](const KeptExperts& k) {
                    double cost = worth(k);
                    for (const auto& [layer, ids] : k) {
                        for (const std::int32_t e : {4, 6, 7}) {
                            if (std::binary_search(ids.begin(), ids.end(), e))
                                cost += e == overrated ? -20 : 10;
                        }
                    }
                    return cost;
                },
                kept);
        };
        const SearchResult found = search_plan(asked);
        for (const auto& [layer, kept] : found.kept) {
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 3, 5}));
        }
    }

    void a_choice_costs_less_only_by_more_than_chance() {
        const PartCosts other{1, 2, 3, 4};
        // By 0.5 of a part, whatever the parts cost; by as much, give or take 1.2 (its error 0.6).
        const std::vector<PartCosts> choices{{0.7, 1.7, 2.7, 3.7}, {0.5, 1.5, 2.5, 3.5}};
        const std::vector<PartCosts> unsure{{-0.7, 2.7, 1.3, 4.7}};
        const CostDifference change = difference(unsure.front(), other);
        QVERIFY(std::abs(change.mean - -0.5) < 1e-12);
        QVERIFY(std::abs(change.error - std::sqrt((1.2 * 1.2 + 1.2 * 1.2 + 1.2 * 1.2 + 1.2 * 1.2) /
                                                  3 / 4)) < 1e-12);
        QCOMPARE(surely_lowest(choices, other, 0), std::optional<std::size_t>(1));
        QVERIFY(!surely_lowest(unsure, other, 0));
        QVERIFY(!surely_lowest({}, other, 0));
        // By 0.5, give or take 0.23: enough for what was expected, not for the luckiest of many.
        const std::vector<PartCosts> many{{9, 9, 9, 9}, {0.1, 1.9, 2.1, 3.9}};
        QCOMPARE(surely_lowest(many, other, 1), std::optional<std::size_t>(1));
        QVERIFY(!surely_lowest(many, other, 0));
    }

    void locked_experts_stay_and_forced_ones_go() {
        auto asked = problem({candidate("first", {0, 1, 2, 3})}, worth);
        asked.limits.locked[0] = {0};
        asked.limits.forced_out[0] = {5};
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept.at(0), (std::vector<std::int32_t>{0, 2, 3, 7}));
        QCOMPARE(found.kept.at(1), (std::vector<std::int32_t>{1, 2, 3, 5}));
    }

    void groups_keep_their_numbers() {
        auto asked = problem({candidate("even", {0, 1, 4, 5})}, worth);
        asked.limits.num_groups = 2;
        const SearchResult found = search_plan(asked);
        for (const auto& [layer, kept] : found.kept) {
            // The best two of 0 to 3, but for the pair, and the best two of 4 to 7.
            QCOMPARE(kept, (std::vector<std::int32_t>{1, 2, 5, 7}));
        }
    }

    void experts_move_to_the_layer_that_needs_them() {
        const Cost cost = [](const KeptExperts& kept) {
            constexpr std::array kLayerWorth{11.0, 1.0, 0.1};
            double sum = 0;
            for (const auto& [layer, experts] : kept) {
                for (std::int32_t e = 0; e < kExperts; ++e) {
                    if (std::find(experts.begin(), experts.end(), e) != experts.end()) continue;
                    sum += kLayerWorth.at(static_cast<std::size_t>(layer)) *
                           kWorth[static_cast<std::size_t>(e)];
                }
            }
            return sum;
        };
        auto asked = problem({candidate("even", {0, 1, 2, 3})}, cost);
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
        QCOMPARE(found.cost, cost(found.kept));
    }

    void an_expansion_that_misleads_makes_nothing_worse() {
        auto asked = problem({candidate("first", {1, 2, 3, 5})}, worth);
        asked.expand = [](const KeptExperts& kept, SearchProblem::Reach) {
            return std::make_unique<ExactCost>([](const KeptExperts& k) { return -worth(k); },
                                               kept);
        };
        const SearchResult found = search_plan(asked);
        QCOMPARE(found.kept, asked.candidates[0].kept);
        QCOMPARE(found.swaps, std::int64_t{0});
    }

    void no_candidate_is_refused() {
        QVERIFY_EXCEPTION_THROWN(search_plan(problem({}, worth)), Error);
    }
};

QTEST_APPLESS_MAIN(TestSearchPlan)
#include "tst_search_plan.moc"
