#include "prune/layer_budget.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <optional>

#include "base/error.h"
#include "prune/kept_counts.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

/// Who goes with each step, and what all gone until then costs.
struct Ladder {
    std::int64_t layer = 0;
    std::vector<double> cost{0.0};  ///< [steps + 1]
    std::size_t forced = 0;         ///< steps that must be taken
    std::size_t at = 0;

    std::size_t steps() const { return cost.size() - 1; }
    double next() const { return cost[at + 1] - cost[at]; }
};

/// The cost of removing experts one after the other.
class RunningCost {
public:
    RunningCost(const BudgetLayer& layer, const BudgetCost& cost)
        : layer_(layer), kind_(cost), experts_(layer.stats->count.size()) {
        if (cost.kind == ScoreKind::Relative) return;
        require_gathered(layer.stats->hidden_sq_sum, 1, OptionalStat::EasyEp);
        if (layer.stats->hidden_sq_sum.front() > 0) stream_sq_ = layer.stats->hidden_sq_sum.front();
    }

    void remove(std::int32_t expert) {
        sum_ += (*layer_.scores)[static_cast<std::size_t>(expert)];
        if (!kind_.is_pairwise) return;
        // Joint energy: its own, and twice its products with those that went before.
        const auto row = static_cast<std::size_t>(expert) * experts_;
        for (const std::int32_t other : gone_) {
            sum_ += 2 * layer_.stats->gated_gram[row + static_cast<std::size_t>(other)];
        }
        gone_.push_back(expert);
    }
    double cost() const {
        return (kind_.kind == ScoreKind::Norm ? sum_ * sum_ : sum_) / stream_sq_;
    }

private:
    const BudgetLayer& layer_;
    BudgetCost kind_;
    std::size_t experts_;
    double stream_sq_ = 1.0;
    double sum_ = 0.0;
    std::vector<std::int32_t> gone_;
};

/// `leaving` group by group, in the same order.
std::vector<std::vector<std::int32_t>> by_group(const BudgetLayer& layer,
                                                const RouterConfig& router) {
    std::vector<std::vector<std::int32_t>> groups(static_cast<std::size_t>(router.num_groups));
    const std::int64_t size = router.num_experts / router.num_groups;
    for (const std::int32_t id : layer.leaving) {
        groups[static_cast<std::size_t>(id / size)].push_back(id);
    }
    return groups;
}

Ladder ladder_of(std::int64_t index, const BudgetLayer& layer, const BudgetCost& cost,
                 const RouterConfig& router, std::int64_t lowest) {
    const auto groups = by_group(layer, router);
    const std::int64_t forced =
        fewest_for(std::span(layer.leaving).first(layer.num_forced_out), router);
    const std::int64_t most = std::max(router.num_experts - lowest, forced);
    auto steps = static_cast<std::size_t>(most / router.num_groups);
    for (const auto& group : groups) steps = std::min(steps, group.size());
    Ladder ladder;
    ladder.layer = index;
    RunningCost running(layer, cost);
    for (std::size_t step = 0; step < steps; ++step) {
        for (const auto& group : groups) running.remove(group[step]);
        ladder.cost.push_back(running.cost());
    }
    ladder.forced = static_cast<std::size_t>(forced / router.num_groups);
    return ladder;
}

Ladder* cheapest(std::vector<Ladder>& ladders) {
    Ladder* best = nullptr;
    for (Ladder& ladder : ladders) {
        if (ladder.at == ladder.steps()) continue;
        if (best == nullptr || ladder.next() < best->next()) best = &ladder;
    }
    return best;
}

[[noreturn]] void refuse(const std::string& what, std::int64_t nearest) {
    throw Error(ErrorCode::RunRecipe, what,
                nearest > 0 ? nearest_text(nearest) : std::string("Force fewer experts out."));
}

}  // namespace

LayerBudget share_layer_budget(const std::map<std::int64_t, BudgetLayer>& layers,
                               const BudgetCost& cost, const RouterConfig& router,
                               std::int64_t kept, std::int64_t lowest) {
    std::vector<Ladder> ladders;
    const auto count = static_cast<std::int64_t>(layers.size());
    std::int64_t steps_left = count * (router.num_experts - kept) / router.num_groups;
    std::int64_t possible = 0;
    for (const auto& [index, layer] : layers) {
        ladders.push_back(ladder_of(index, layer, cost, router, lowest));
        Ladder& ladder = ladders.back();
        possible += static_cast<std::int64_t>(ladder.steps());
        ladder.at = std::min(ladder.forced, ladder.steps());
        steps_left -= static_cast<std::int64_t>(ladder.at);
    }
    const std::int64_t wanted = count * (router.num_experts - kept) / router.num_groups;
    if (wanted > possible) {
        const std::int64_t least = count * router.num_experts - possible * router.num_groups;
        refuse(fmt::format("{} experts a layer cannot be kept across the layers: what must stay, "
                           "and {} of each layer, are {} of {}.",
                           kept, lowest, least, count * router.num_experts),
               nearest_kept(kept, router, (least + count - 1) / count));
    }
    if (steps_left < 0) {
        const std::int64_t left =
            count * router.num_experts - (wanted - steps_left) * router.num_groups;
        refuse(fmt::format("So many experts are forced out that {} a layer cannot be kept.", kept),
               nearest_below(left / count, router));
    }
    for (; steps_left > 0; --steps_left) ++cheapest(ladders)->at;
    LayerBudget budget;
    for (const Ladder& ladder : ladders) {
        budget.kept[ladder.layer] =
            router.num_experts - static_cast<std::int64_t>(ladder.at) * router.num_groups;
        budget.cost[ladder.layer] = ladder.cost[ladder.at];
    }
    return budget;
}

}  // namespace espalier
