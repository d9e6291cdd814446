#include "prune/search_plan.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <limits>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "prune/expert_flips.h"
#include "prune/part_costs.h"

namespace espalier {
namespace {

/// So many of the candidates are measured on all data.
constexpr std::size_t kFinalists = 3;
/// Thinning expands the cost anew once these shares of what has to go are gone.
constexpr std::array kExpandedAt = {0.0, 0.6};
/// A layer is thinned in so many steps at most.
constexpr std::int64_t kMaxSteps = 64;
/// So many of a layer's experts, the most promising, are paired with others.
constexpr std::size_t kPaired = 4;
/// Rounds in a row without a gain that end an ascent.
constexpr std::size_t kPatience = 8;
/// Parts of the data after which a choice that has cost more, by more than chance, is given up; and
/// after which, if it has cost no less.
constexpr std::size_t kFirstParts = 2;
constexpr std::size_t kPartsToTell = 4;
/// Changes of the cost that are none.
constexpr double kNothing = -1e-9;

/// Expansions on different data, about choices that lie close together: their mean sees more than
/// any of them.
class HeldExpansions final : public CostExpansion {
public:
    /// The oldest goes where there are too many.
    void add(std::unique_ptr<CostExpansion> expansion) {
        if (expansions_.size() == kExpansionsHeld) expansions_.pop_front();
        expansions_.push_back(std::move(expansion));
    }
    bool is_full() const noexcept { return expansions_.size() == kExpansionsHeld; }
    double change(std::int64_t layer, const std::vector<std::int32_t>& kept) const override {
        double sum = 0;
        for (const auto& expansion : expansions_) sum += expansion->change(layer, kept);
        return sum / static_cast<double>(expansions_.size());
    }
    void take(std::int64_t layer, const std::vector<std::int32_t>& kept) override {
        for (const auto& expansion : expansions_) expansion->take(layer, kept);
    }

private:
    std::deque<std::unique_ptr<CostExpansion>> expansions_;
};

/// What exchanges begin with.
struct Start {
    KeptExperts kept;
    PartCosts costs;
};

class Search {
public:
    explicit Search(const SearchProblem& problem)
        : problem_(problem), limits_(problem.limits), flips_(problem.limits) {}

    SearchResult run() {
        const std::vector<Start> finalists = best_candidates();
        if (problem_.begin) problem_.begin();
        start_from(finalists.front());
        for (std::size_t i = 1; i < finalists.size(); ++i) take_layers_of(finalists[i].kept);
        exchange();
        if (may_go_on()) {
            const KeptExperts thinned = thin(finalists.front().kept);
            const PartCosts costs = measure(thinned, problem_.num_parts);
            result_.thinned_cost = mean_of(costs);
            go_on_from({thinned, costs});
        }
        for (std::size_t i = 1; i < finalists.size() && may_go_on(); ++i) go_on_from(finalists[i]);
        result_.kept = best_.kept;
        result_.cost = mean_of(best_.costs);
        count_changes(finalists.front().kept);
        return std::move(result_);
    }

private:
    bool may_go_on() const { return problem_.used() < 1; }

    /// On so many parts, or all.
    PartCosts measure(const KeptExperts& kept, std::size_t parts) const {
        PartCosts costs;
        for (std::size_t part = 0; part < std::min(parts, problem_.num_parts); ++part) {
            costs.push_back(problem_.measure(kept, part));
        }
        return costs;
    }
    /// Nothing unless it costs less than the choice, by more than chance; given up early where the
    /// first parts say that it does not.
    std::optional<PartCosts> measure_if_lower(const KeptExperts& kept) const {
        PartCosts costs;
        for (std::size_t part = 0; part < problem_.num_parts; ++part) {
            costs.push_back(problem_.measure(kept, part));
            const CostDifference so_far = difference(costs, costs_);
            const bool is_dearer = costs.size() >= kFirstParts && so_far.mean >= so_far.error;
            const bool is_no_gain = costs.size() >= kPartsToTell && so_far.mean >= 0;
            if (is_dearer || is_no_gain) return std::nullopt;
        }
        if (!is_surely_lower(costs, costs_)) return std::nullopt;
        return costs;
    }

    /// From another start, and then from the better of what was found, with layers of the other.
    void go_on_from(const Start& start) {
        const Start before = best_;
        start_from(start);
        exchange();
        const Start found{kept_, costs_};
        const bool is_better = mean_of(found.costs) < mean_of(before.costs);
        start_from(is_better ? found : before);
        if (take_layers_of(is_better ? before.kept : found.kept)) exchange();
    }

    /// What the exchanges that follow are made to.
    void start_from(const Start& start) {
        refused_.clear();
        settle_on(start.kept, start.costs);
    }
    void settle_on(KeptExperts kept, PartCosts costs) {
        kept_ = std::move(kept);
        costs_ = std::move(costs);
        if (problem_.settle) problem_.settle(kept_);
        remember();
    }
    /// As the result, if it is the best so far.
    void remember() {
        const double cost = mean_of(costs_);
        if (!best_.kept.empty() && cost >= mean_of(best_.costs)) return;
        best_ = {kept_, costs_};
        if (problem_.progress) problem_.progress(cost);
    }

    /// By the first parts of the data; those ahead are put in order by all of it.
    std::vector<Start> best_candidates() {
        if (problem_.candidates.empty()) {
            throw Error(ErrorCode::RunRecipe, "There is no ranking of the experts to start from.",
                        "Name at least one criterion.");
        }
        std::vector<std::size_t> order;
        for (const SearchCandidate& candidate : problem_.candidates) {
            order.push_back(order.size());
            const PartCosts costs = measure(candidate.kept, kFirstParts);
            result_.candidates.push_back({candidate.criterion, mean_of(costs)});
        }
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return result_.candidates[a].cost < result_.candidates[b].cost;
        });
        order.resize(std::min(order.size(), kFinalists));
        result_.start_cost = std::numeric_limits<double>::infinity();
        std::vector<Start> finalists;
        for (const std::size_t i : order) {
            const KeptExperts& kept = problem_.candidates[i].kept;
            finalists.push_back({kept, measure(kept, problem_.num_parts)});
            const double cost = mean_of(finalists.back().costs);
            if (cost >= result_.start_cost) continue;
            result_.start = i;
            result_.start_cost = cost;
            std::swap(finalists.front(), finalists.back());
            if (problem_.progress) problem_.progress(cost);
        }
        return finalists;
    }

    /// Whole layers of another choice, where that lowers the cost.
    bool take_layers_of(const KeptExperts& other) {
        bool takes_any = false;
        for (const auto& [layer, ids] : other) {
            if (!may_go_on()) break;
            const auto& own = kept_.at(layer);
            if (own == ids || own.size() != ids.size()) continue;
            KeptExperts trial = kept_;
            trial.at(layer) = ids;
            auto costs = measure_if_lower(trial);
            if (!costs) continue;
            settle_on(std::move(trial), std::move(*costs));
            takes_any = true;
        }
        return takes_any;
    }

    void count_changes(const KeptExperts& start) {
        for (const auto& [layer, ids] : result_.kept) {
            const auto& before = start.at(layer);
            result_.swaps += std::count_if(ids.begin(), ids.end(),
                                           [&](std::int32_t id) { return !contains(before, id); });
            result_.moves +=
                std::max<std::int64_t>(0, static_cast<std::int64_t>(ids.size()) -
                                              static_cast<std::int64_t>(before.size()));
        }
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
        std::unique_ptr<CostExpansion> cost;
        for (std::size_t i = 0; i < kExpandedAt.size(); ++i) {
            const double until = i + 1 < kExpandedAt.size() ? kExpandedAt[i + 1] : 1.0;
            const auto rest = static_cast<std::int64_t>(static_cast<double>(all) * (1 - until));
            // Without time the rest goes by what is known.
            if (!cost || may_go_on()) cost = problem_.expand(kept, SearchProblem::Reach::Thinning);
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

    /// Rounds until none helps any more. The cost is expanded anew, on other data, where the choice
    /// has changed, and every now and then where it does not.
    void exchange() {
        HeldExpansions cost;
        std::size_t failed = 0;    // rounds in a row
        std::size_t expanded = 0;  // since the last gain
        while (failed < kPatience && may_go_on()) {
            const bool may_expand = expanded < problem_.num_expansions;
            if (may_expand && (failed % 2 == 0 || !cost.is_full())) {
                cost.add(problem_.expand(kept_, SearchProblem::Reach::Exchanges));
                ++expanded;
            }
            const std::vector<Exchange> exchanges = promising(cost);
            if (exchanges.empty() && !may_expand) break;
            const bool has_gained = take_some(exchanges);
            if (has_gained) expanded = 0;
            failed = has_gained ? 0 : failed + 1;
            for (const auto& [layer, ids] : kept_) cost.take(layer, ids);
        }
        result_.is_exhausted = may_go_on();
    }

    /// Makes the exchanges if together they lower the cost, or else those that do alone.
    bool take_some(std::span<const Exchange> exchanges) {
        if (exchanges.empty() || !may_go_on()) return false;
        if (take_all(exchanges)) return true;
        if (exchanges.size() == 1) {
            refused_.insert(exchanges.front());
            return false;
        }
        bool takes_any = false;
        for (std::size_t i = 0; i < exchanges.size(); ++i) {
            if (take_some(exchanges.subspan(i, 1))) takes_any = true;
        }
        return takes_any;
    }

    bool take_all(std::span<const Exchange> exchanges) {
        KeptExperts trial = kept_;
        for (const Exchange& exchange : exchanges) {
            if (!flips_.may_apply(exchange, trial)) return false;
            apply(exchange, trial);
        }
        auto costs = measure_if_lower(trial);
        if (!costs) return false;
        settle_on(std::move(trial), std::move(*costs));
        return true;
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
        for (const Flip& back : most_promising(flips_.returns(cost, layer, kept))) {
            const auto grown = with(kept, back.expert);
            for (const Flip& gone : flips_.removals(cost, layer, grown)) {
                if (gone.change >= best.change) break;
                if (gone.expert == back.expert) continue;
                if (flips_.group_of(gone.expert) != flips_.group_of(back.expert)) continue;
                const Exchange exchange{layer, back.expert, layer, gone.expert, gone.change};
                if (refused_.contains(exchange)) continue;
                best = exchange;
                break;
            }
        }
        return best;
    }

    Exchange best_between_layers(const CostExpansion& cost, const KeptExperts& kept) const {
        std::vector<Flip> returns;
        std::vector<Flip> removals;
        for (const auto& [layer, ids] : kept) {
            for (const Flip& back : most_promising(flips_.returns(cost, layer, ids)))
                returns.push_back(back);
            if (static_cast<std::int64_t>(ids.size()) <= limits_.least) continue;
            for (const Flip& gone : most_promising(flips_.removals(cost, layer, ids)))
                removals.push_back(gone);
        }
        Exchange best;
        for (const Flip& back : returns) {
            for (const Flip& gone : removals) {
                const double change = back.change + gone.change;
                if (back.layer == gone.layer || change >= best.change) continue;
                const Exchange exchange{back.layer, back.expert, gone.layer, gone.expert, change};
                if (!refused_.contains(exchange)) best = exchange;
            }
        }
        return best;
    }

    static std::vector<Flip> most_promising(std::vector<Flip> flips) {
        flips.resize(std::min(flips.size(), kPaired));
        return flips;
    }

    const SearchProblem& problem_;
    const SearchLimits& limits_;
    Flips flips_;
    SearchResult result_;
    Start best_;  ///< so far
    KeptExperts kept_;
    PartCosts costs_;                          ///< of the choice
    std::set<Exchange, SameExperts> refused_;  ///< tried alone, and found no good
};

}  // namespace

SearchResult search_plan(const SearchProblem& problem) { return Search(problem).run(); }

}  // namespace espalier
