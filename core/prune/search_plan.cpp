#include "prune/search_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/error.h"

namespace espalier {
namespace {

/// So many of the candidates are measured on all data.
constexpr std::size_t kFinalists = 3;
/// Thinning expands the cost anew once these shares of what has to go are gone.
constexpr std::array kExpandedAt = {0.0, 0.6};
/// A layer is thinned in so many steps at most.
constexpr std::int64_t kMaxSteps = 64;
/// Experts that are gone whose return is tried with every partner.
constexpr std::size_t kReturnsTried = 4;
/// Parts of the data after which a choice that has cost no less is given up.
constexpr std::size_t kPartsToTell = 2;
/// Changes of the cost that are none.
constexpr double kNothing = -1e-9;

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::binary_search(ids.begin(), ids.end(), id);
}

std::vector<std::int32_t> with(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id);
    return ids;
}

std::vector<std::int32_t> without(std::vector<std::int32_t> ids, std::int32_t id) {
    ids.erase(std::lower_bound(ids.begin(), ids.end(), id));
    return ids;
}

/// Of each part of the data.
using Costs = std::vector<double>;

double mean_of(const Costs& costs) {
    double sum = 0;
    for (const double cost : costs) sum += cost;
    return sum / static_cast<double>(costs.size());
}

/// Of costs on the first parts from those of another choice.
struct Difference {
    double mean = 0;
    double error = 0;  ///< standard error of the mean; 0 of one part
};

Difference difference(const Costs& trial, const Costs& now) {
    const auto count = static_cast<double>(trial.size());
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < trial.size(); ++i) {
        const double change = trial[i] - now[i];
        sum += change;
        squares += change * change;
    }
    if (trial.size() < 2) return {sum, 0};
    const double variance = std::max(0.0, (squares - sum * sum / count) / (count - 1));
    return {sum / count, std::sqrt(variance / count)};
}

/// An expert and what its flip should change.
struct Flip {
    std::int64_t layer = 0;
    std::int32_t expert = 0;
    double change = 0;
};

void sort_by_change(std::vector<Flip>& flips) {
    std::stable_sort(flips.begin(), flips.end(),
                     [](const Flip& a, const Flip& b) { return a.change < b.change; });
}

/// One expert comes back, another goes.
struct Exchange {
    std::int64_t layer = 0;  ///< where one comes back
    std::int32_t back = 0;
    std::int64_t gone_layer = 0;  ///< where one goes
    std::int32_t gone = 0;
    double change = 0;
};

void apply(const Exchange& exchange, KeptExperts& kept) {
    auto& grown = kept.at(exchange.layer);
    grown = with(grown, exchange.back);
    auto& shrunk = kept.at(exchange.gone_layer);
    shrunk = without(shrunk, exchange.gone);
}

/// What may be flipped.
class Flips {
public:
    explicit Flips(const SearchLimits& limits) : limits_(limits) {}

    std::vector<Flip> removals(const CostExpansion& cost, std::int64_t layer,
                               const std::vector<std::int32_t>& kept) const {
        std::vector<Flip> flips;
        for (const std::int32_t e : kept) {
            if (is_listed(limits_.locked, layer, e)) continue;
            flips.push_back({layer, e, cost.change(layer, without(kept, e))});
        }
        sort_by_change(flips);
        return flips;
    }
    std::vector<Flip> returns(const CostExpansion& cost, std::int64_t layer,
                              const std::vector<std::int32_t>& kept) const {
        std::vector<Flip> flips;
        for (std::int32_t e = 0; e < limits_.num_experts; ++e) {
            if (contains(kept, e) || is_forced_out(layer, e)) continue;
            flips.push_back({layer, e, cost.change(layer, with(kept, e))});
        }
        sort_by_change(flips);
        return flips;
    }
    bool is_forced_out(std::int64_t layer, std::int32_t expert) const {
        return is_listed(limits_.forced_out, layer, expert);
    }
    std::int64_t group_of(std::int32_t expert) const {
        return expert / (limits_.num_experts / limits_.num_groups);
    }
    std::int64_t count_group(const std::vector<std::int32_t>& ids, std::int64_t group) const {
        return std::count_if(ids.begin(), ids.end(),
                             [&](std::int32_t id) { return group_of(id) == group; });
    }

private:
    static bool is_listed(const KeptExperts& lists, std::int64_t layer, std::int32_t expert) {
        const auto found = lists.find(layer);
        return found != lists.end() &&
               std::find(found->second.begin(), found->second.end(), expert) != found->second.end();
    }

    const SearchLimits& limits_;
};

/// What exchanges begin with.
struct Start {
    KeptExperts kept;
    Costs costs;
};

class Search {
public:
    explicit Search(const SearchProblem& problem)
        : problem_(problem), limits_(problem.limits), flips_(problem.limits) {}

    SearchResult run() {
        const Start best = best_candidate();
        if (problem_.begin) problem_.begin();
        start_from(best);
        exchange();
        if (may_go_on()) {
            const KeptExperts thinned = thin(best.kept);
            start_from({thinned, measure(thinned)});
            result_.thinned_cost = mean_of(costs_);
            exchange();
        }
        return std::move(result_);
    }

private:
    bool may_go_on() const { return problem_.used() < 1; }

    Costs measure(const KeptExperts& kept) const {
        Costs costs;
        for (std::size_t part = 0; part < problem_.num_parts; ++part) {
            costs.push_back(problem_.measure(kept, part));
        }
        return costs;
    }
    /// Nothing unless it costs less than the choice, by more than chance; given up early where the
    /// first parts say that it does not.
    std::optional<Costs> measure_if_lower(const KeptExperts& kept) const {
        Costs costs;
        for (std::size_t part = 0; part < problem_.num_parts; ++part) {
            costs.push_back(problem_.measure(kept, part));
            const Difference so_far = difference(costs, costs_);
            if (costs.size() >= kPartsToTell && so_far.mean >= 0) return std::nullopt;
        }
        const Difference all = difference(costs, costs_);
        if (all.mean >= -all.error) return std::nullopt;
        return costs;
    }

    /// What the exchanges that follow are made to.
    void start_from(const Start& start) {
        kept_ = start.kept;
        costs_ = start.costs;
        swaps_ = moves_ = 0;
        if (problem_.settle) problem_.settle(kept_);
        remember();
    }
    /// As the result, if it is the best so far.
    void remember() {
        const double cost = mean_of(costs_);
        if (!result_.kept.empty() && cost >= result_.cost) return;
        result_.kept = kept_;
        result_.cost = cost;
        result_.swaps = swaps_;
        result_.moves = moves_;
        if (problem_.progress) problem_.progress(cost);
    }

    /// By a part of the data; those ahead are told apart by all of it.
    Start best_candidate() {
        if (problem_.candidates.empty()) {
            throw Error(ErrorCode::RunRecipe, "There is no ranking of the experts to start from.",
                        "Name at least one criterion.");
        }
        std::vector<std::size_t> order;
        for (const SearchCandidate& candidate : problem_.candidates) {
            order.push_back(order.size());
            result_.candidates.push_back(
                {candidate.criterion, problem_.measure(candidate.kept, 0)});
        }
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return result_.candidates[a].cost < result_.candidates[b].cost;
        });
        order.resize(std::min(order.size(), kFinalists));
        result_.start_cost = std::numeric_limits<double>::infinity();
        Start best;
        for (const std::size_t i : order) {
            Costs costs = measure(problem_.candidates[i].kept);
            const double cost = mean_of(costs);
            if (cost >= result_.start_cost) continue;
            result_.start = i;
            result_.start_cost = cost;
            best = {problem_.candidates[i].kept, std::move(costs)};
            if (problem_.progress) problem_.progress(cost);
        }
        return best;
    }

    // Thinning

    /// As many experts as `like` has in each layer, or over all where they may move.
    KeptExperts thin(const KeptExperts& like) const {
        KeptExperts kept;
        for (const auto& [layer, some] : like) {
            for (std::int32_t e = 0; e < limits_.num_experts; ++e) {
                if (!flips_.is_forced_out(layer, e)) kept[layer].push_back(e);
            }
        }
        const std::int64_t all = still_to_go(kept, like);
        for (std::size_t i = 0; i < kExpandedAt.size(); ++i) {
            if (i > 0 && !may_go_on()) break;
            const double until = i + 1 < kExpandedAt.size() ? kExpandedAt[i + 1] : 1.0;
            const auto rest = static_cast<std::int64_t>(static_cast<double>(all) * (1 - until));
            const auto cost = problem_.expand(kept, SearchProblem::Reach::Thinning);
            while (still_to_go(kept, like) > rest) remove_some(*cost, like, kept);
        }
        return kept;
    }

    static std::int64_t still_to_go(const KeptExperts& kept, const KeptExperts& like) {
        std::int64_t rest = 0;
        for (const auto& [layer, ids] : like) {
            rest += static_cast<std::int64_t>(kept.at(layer).size()) -
                    static_cast<std::int64_t>(ids.size());
        }
        return rest;
    }

    /// A step in each layer.
    void remove_some(CostExpansion& cost, const KeptExperts& like, KeptExperts& kept) const {
        if (limits_.moves_between_layers) return remove_across(cost, like, kept);
        for (auto& [layer, ids] : kept) {
            std::int64_t most = (limits_.num_experts + kMaxSteps - 1) / kMaxSteps;
            for (const Flip& flip : flips_.removals(cost, layer, ids)) {
                if (most == 0) break;
                const std::int64_t group = flips_.group_of(flip.expert);
                if (flips_.count_group(ids, group) <= flips_.count_group(like.at(layer), group))
                    continue;
                ids = without(ids, flip.expert);
                --most;
            }
            cost.take(layer, ids);
        }
    }

    /// The cheapest of all layers, one a layer at most.
    void remove_across(CostExpansion& cost, const KeptExperts& like, KeptExperts& kept) const {
        std::vector<Flip> cheapest;
        for (const auto& [layer, ids] : kept) {
            if (static_cast<std::int64_t>(ids.size()) <= limits_.least) continue;
            const auto removals = flips_.removals(cost, layer, ids);
            if (!removals.empty()) cheapest.push_back(removals.front());
        }
        sort_by_change(cheapest);
        const auto half = static_cast<std::int64_t>(cheapest.size() + 1) / 2;
        cheapest.resize(static_cast<std::size_t>(std::min(half, still_to_go(kept, like))));
        for (const Flip& flip : cheapest) {
            auto& ids = kept.at(flip.layer);
            ids = without(ids, flip.expert);
            cost.take(flip.layer, ids);
        }
    }

    // Exchanges

    /// Rounds, each on other data, until none helps.
    void exchange() {
        std::size_t failed = 0;  // in a row
        while (failed < problem_.num_expansions && may_go_on()) {
            const auto cost = problem_.expand(kept_, SearchProblem::Reach::Exchanges);
            failed = take_most(promising(*cost)) ? 0 : failed + 1;
        }
        result_.is_exhausted = failed >= problem_.num_expansions;
    }

    /// Makes the exchanges, or the better half of them, and so on, until the cost falls.
    bool take_most(std::vector<Exchange> exchanges) {
        while (!exchanges.empty() && may_go_on()) {
            KeptExperts trial = kept_;
            for (const Exchange& exchange : exchanges) apply(exchange, trial);
            if (auto costs = measure_if_lower(trial)) {
                kept_ = std::move(trial);
                costs_ = std::move(*costs);
                count(exchanges);
                if (problem_.settle) problem_.settle(kept_);
                remember();
                return true;
            }
            exchanges.resize(exchanges.size() / 2);
        }
        return false;
    }

    void count(const std::vector<Exchange>& exchanges) {
        swaps_ += static_cast<std::int64_t>(exchanges.size());
        moves_ += std::count_if(exchanges.begin(), exchanges.end(), [](const Exchange& exchange) {
            return exchange.layer != exchange.gone_layer;
        });
    }

    /// The best of each layer and, where experts may move, between layers; the most promising
    /// first. Each is told as if the others before it were made.
    std::vector<Exchange> promising(CostExpansion& cost) const {
        std::vector<Exchange> exchanges;
        KeptExperts kept = kept_;
        const auto take = [&](const Exchange& exchange) {
            if (exchange.change >= kNothing) return false;
            apply(exchange, kept);
            cost.take(exchange.layer, kept.at(exchange.layer));
            if (exchange.gone_layer != exchange.layer)
                cost.take(exchange.gone_layer, kept.at(exchange.gone_layer));
            exchanges.push_back(exchange);
            return true;
        };
        if (limits_.moves_between_layers) {
            while (exchanges.size() < kept.size() && take(best_between_layers(cost, kept))) {
            }
        }
        const auto moved = static_cast<std::ptrdiff_t>(exchanges.size());
        for (const auto& [layer, ids] : kept_) take(best_in_layer(cost, layer, kept.at(layer)));
        // Moves build on each other, so they stay in order.
        std::stable_sort(exchanges.begin() + moved, exchanges.end(),
                         [](const auto& a, const auto& b) { return a.change < b.change; });
        return exchanges;
    }

    Exchange best_in_layer(const CostExpansion& cost, std::int64_t layer,
                           const std::vector<std::int32_t>& kept) const {
        Exchange best;
        std::vector<Flip> returns = flips_.returns(cost, layer, kept);
        returns.resize(std::min(returns.size(), kReturnsTried));
        for (const Flip& back : returns) {
            const auto grown = with(kept, back.expert);
            for (const Flip& gone : flips_.removals(cost, layer, grown)) {
                if (gone.change >= best.change) break;
                if (gone.expert == back.expert) continue;
                if (flips_.group_of(gone.expert) != flips_.group_of(back.expert)) continue;
                best = {layer, back.expert, layer, gone.expert, gone.change};
                break;
            }
        }
        return best;
    }

    Exchange best_between_layers(const CostExpansion& cost, const KeptExperts& kept) const {
        std::vector<Flip> returns;
        std::vector<Flip> removals;
        for (const auto& [layer, ids] : kept) {
            const auto back = flips_.returns(cost, layer, ids);
            if (!back.empty()) returns.push_back(back.front());
            if (static_cast<std::int64_t>(ids.size()) <= limits_.least) continue;
            const auto gone = flips_.removals(cost, layer, ids);
            if (!gone.empty()) removals.push_back(gone.front());
        }
        Exchange best;
        for (const Flip& back : returns) {
            for (const Flip& gone : removals) {
                const double change = back.change + gone.change;
                if (back.layer == gone.layer || change >= best.change) continue;
                best = {back.layer, back.expert, gone.layer, gone.expert, change};
            }
        }
        return best;
    }

    const SearchProblem& problem_;
    const SearchLimits& limits_;
    Flips flips_;
    SearchResult result_;
    KeptExperts kept_;
    Costs costs_;  ///< of the choice
    std::int64_t swaps_ = 0;
    std::int64_t moves_ = 0;
};

}  // namespace

SearchResult search_plan(const SearchProblem& problem) { return Search(problem).run(); }

}  // namespace espalier
