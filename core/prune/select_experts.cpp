#include "prune/select_experts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>
#include <span>

#include "base/error.h"
#include "prune/explain_plan.h"
#include "prune/group_layer.h"
#include "prune/joint_choice.h"
#include "prune/kept_counts.h"
#include "prune/layer_budget.h"
#include "prune/layer_selection.h"
#include "prune/lost_mass.h"
#include "prune/merge_methods.h"
#include "prune/rank_experts.h"
#include "prune/task_mix.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

Error refused(const std::string& what, const std::string& hint) {
    return Error(ErrorCode::RunRecipe, what, hint);
}

void check_fits(const ExpertStats& stats, const MoeConfig& config) {
    if (config.moe_layers().empty()) {
        throw refused("This model has no routed layers: there is nothing to prune.",
                      "Choose a Mixture-of-Experts model.");
    }
    if (stats.num_experts != config.router.num_experts) {
        throw refused(
            fmt::format("The statistics are of a model with {} experts a layer, this one has {}.",
                        stats.num_experts, config.router.num_experts),
            "Calibrate this model.");
    }
}

const LayerStats& layer_stats(const ExpertStats& stats, std::int64_t layer) {
    const auto found = stats.layers.find(layer);
    if (found == stats.layers.end() ||
        found->second.count.size() != static_cast<std::size_t>(stats.num_experts)) {
        throw refused(fmt::format("The statistics have nothing about layer {}.", layer),
                      "Calibrate this model again.");
    }
    const auto& count = found->second.count;
    if (std::all_of(count.begin(), count.end(), [](std::int64_t n) { return n == 0; })) {
        throw refused(
            fmt::format("No expert of layer {} was chosen by any token during calibration.", layer),
            "Calibrate on more data.");
    }
    return found->second;
}

std::vector<double> checked_scores(const Criterion& criterion, const LayerStats& stats,
                                   std::int64_t layer, std::uint64_t seed) {
    std::vector<double> scores = criterion.score(stats, {layer, seed});
    for (std::size_t e = 0; e < scores.size(); ++e) {
        if (std::isfinite(scores[e])) continue;
        throw Error(
            ErrorCode::NumberInvalid,
            fmt::format("The {} score of expert {} in layer {} is not finite.", criterion.name, e,
                        layer),
            "Calibrate again; if it persists, the model computes NaN or infinity on this data.");
    }
    return scores;
}

/// The best experts of each task label by mean gated norm on that label's tokens.
std::map<std::string, std::vector<std::int32_t>> champions(const ExpertStats& stats,
                                                           const LayerStats& layer, double share) {
    std::map<std::string, std::vector<std::int32_t>> result;
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    const auto wanted = static_cast<std::size_t>(std::lround(share * static_cast<double>(experts)));
    if (stats.tasks.size() < 2 || layer.task_count.size() != stats.tasks.size() * experts)
        return result;
    for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
        const auto count = std::span(layer.task_count).subspan(task * experts, experts);
        const auto sum = std::span(layer.task_gated_norm_sum).subspan(task * experts, experts);
        std::vector<double> mean(experts, 0.0);
        for (std::size_t e = 0; e < experts; ++e) {
            if (count[e] > 0) mean[e] = sum[e] / static_cast<double>(count[e]);
        }
        const auto order = rank_experts(mean, count);
        auto& best = result[stats.tasks[task]];
        for (const std::int32_t expert : order) {
            if (best.size() < wanted && count[static_cast<std::size_t>(expert)] > 0)
                best.push_back(expert);
        }
    }
    return result;
}

void check_wishes(const SelectOptions& options, const MoeConfig& config) {
    const auto routed = config.moe_layers();
    for (const auto& [layer, wish] : options.wishes) {
        const bool known = std::find(routed.begin(), routed.end(), layer) != routed.end();
        for (const auto* ids : {&wish.locked, &wish.forced_out}) {
            for (const std::int32_t id : *ids) {
                if (known && id >= 0 && id < config.router.num_experts) continue;
                throw refused(fmt::format("There is no expert {} in layer {}.", id, layer),
                              "Correct the lists of locked and removed experts.");
            }
        }
    }
}

/// How the experts of all layers are judged.
struct Judging {
    const Criterion& criterion;
    std::vector<double> task_weights = {};  ///< empty: all tokens together
    bool is_max_min = false;
    bool has_reap_diagonal = false;

    bool is_pairwise() const { return criterion.is_pairwise && !is_max_min; }
    BudgetCost cost() const {
        if (!task_weights.empty()) return {.kind = ScoreKind::Relative};  // ranks
        return {.kind = criterion.kind, .is_pairwise = criterion.is_pairwise};
    }
};

Judging judging_of(const ExpertStats& stats, const SelectOptions& options) {
    Judging judging{.criterion = find_criterion(options.criterion),
                    .is_max_min = options.task_mix == TaskMix::MaxMin,
                    .has_reap_diagonal = options.has_reap_diagonal};
    if (judging.is_max_min || !options.task_weights.empty()) {
        judging.task_weights = weights_of_tasks(stats, options.task_weights);
    }
    if (options.has_reap_diagonal && !judging.criterion.is_pairwise) {
        throw refused(fmt::format("The criterion {} has no diagonal.", judging.criterion.name),
                      "Choose the criterion hope, or leave the diagonal as it is.");
    }
    return judging;
}

/// F, with what stands on its diagonal.
std::vector<double> gram_of(const LayerStats& layer, const Judging& judging) {
    std::vector<double> gram = layer.gated_gram;
    const std::size_t experts = layer.count.size();
    if (judging.has_reap_diagonal) {
        for (std::size_t e = 0; e < experts; ++e) {
            gram[e * experts + e] = layer.gated_norm_sum[e];
        }
    }
    return gram;
}

/// From the best expert to the worst: by score, or for a pairwise criterion by what it starts from.
std::vector<std::int32_t> order_of(const LayerStats& layer, const LayerDecision& decision,
                                   const Judging& judging) {
    return rank_experts(judging.is_pairwise() ? layer.gated_norm_sum : decision.scores,
                        layer.count);
}

void judge(const LayerStats& layer, std::int64_t index, const Judging& judging, std::uint64_t seed,
           LayerDecision& decision) {
    const Criterion& criterion = judging.criterion;
    if (!judging.task_weights.empty()) {
        // What max-min shows is by rank too; its choice goes by mass.
        decision.scores = mixed_scores(layer, criterion, judging.task_weights, {index, seed});
        return;
    }
    decision.scores = checked_scores(criterion, layer, index, seed);
    if (judging.has_reap_diagonal) decision.scores = layer.gated_norm_sum;
    if (criterion.standard_error) decision.standard_errors = criterion.standard_error(layer);
}

/// Who stays whatever the score.
std::vector<std::int32_t> required(const LayerDecision& decision, const LayerPlan& wish) {
    std::vector<std::int32_t> ids = wish.locked;
    ids.insert(ids.end(), decision.protected_super.begin(), decision.protected_super.end());
    return ids;
}

/// The champions of all tasks by turns, each task's best first.
std::vector<std::int32_t> champions_in_turn(const LayerDecision& decision) {
    std::vector<std::int32_t> ids;
    std::size_t longest = 0;
    for (const auto& [task, best] : decision.champions) longest = std::max(longest, best.size());
    for (std::size_t rank = 0; rank < longest; ++rank) {
        for (const auto& [task, best] : decision.champions) {
            if (rank < best.size()) ids.push_back(best[rank]);
        }
    }
    return ids;
}

LayerPlan choose(const LayerStats& layer, const LayerDecision& decision, const Judging& judging,
                 LayerSelection selection, const LayerPlan& wish) {
    selection.require(required(decision, wish));
    for (const std::int32_t expert : champions_in_turn(decision)) selection.prefer(expert);
    selection.pin_chosen();
    if (judging.is_max_min) raise_lowest_task(selection, task_shares(layer, judging.task_weights));
    for (const std::int32_t expert : order_of(layer, decision, judging)) selection.prefer(expert);
    if (judging.is_pairwise()) lower_joint_energy(selection, gram_of(layer, judging));
    return selection.finish();
}

/// All layers on the way to a plan.
struct Selection {
    const ExpertStats& stats;
    const MoeConfig& config;
    const SelectOptions& options;
    Judging judging;
    std::map<std::int64_t, LayerDecision> decisions = {};

    LayerPlan wish(std::int64_t layer) const {
        const auto found = options.wishes.find(layer);
        return found == options.wishes.end() ? LayerPlan{} : found->second;
    }
};

/// Forced out first, then from the worst to the best, champions last; who must stay is not there.
BudgetLayer budget_layer(const Selection& all, std::int64_t index) {
    const LayerStats& layer = all.stats.layers.at(index);
    const LayerDecision& decision = all.decisions.at(index);
    const LayerPlan wish = all.wish(index);
    const auto stays = required(decision, wish);
    std::vector<std::int32_t> late = champions_in_turn(decision);
    std::reverse(late.begin(), late.end());
    std::set<std::int32_t> placed(stays.begin(), stays.end());
    BudgetLayer budget{.stats = &layer, .scores = &decision.scores, .leaving = wish.forced_out};
    budget.num_forced_out = budget.leaving.size();
    placed.insert(budget.leaving.begin(), budget.leaving.end());
    const std::set<std::int32_t> champions(late.begin(), late.end());
    auto order = order_of(layer, decision, all.judging);
    std::reverse(order.begin(), order.end());
    for (const std::int32_t id : order) {
        if (!champions.contains(id) && placed.insert(id).second) budget.leaving.push_back(id);
    }
    for (const std::int32_t id : late) {
        if (placed.insert(id).second) budget.leaving.push_back(id);
    }
    return budget;
}

/// How many stay in each layer, and what to tell about it.
std::map<std::int64_t, std::int64_t> layer_counts(const Selection& all, std::int64_t kept,
                                                  Json& story) {
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::int64_t index : all.config.moe_layers()) counts[index] = kept;
    if (all.options.scope == SelectScope::Layers) return counts;
    std::map<std::int64_t, BudgetLayer> layers;
    for (const auto& [index, count] : counts) layers[index] = budget_layer(all, index);
    const LayerBudget budget =
        share_layer_budget(layers, all.judging.cost(), all.config.router, kept,
                           lowest_asked(all.options.lowest, all.config.router));
    story = {{"scope", "across"}, {"layers", Json::array()}};
    std::int64_t most = 0;
    for (const auto& [index, count] : budget.kept) {
        story["layers"].push_back(
            {{"layer", index}, {"kept", count}, {"cost", budget.cost.at(index)}});
        most = std::max(most, count);
    }
    if (!all.options.pads_to_uniform) return budget.kept;
    story["padded_to"] = most;
    for (auto& [index, count] : counts) count = most;
    return counts;
}

/// With the criterion that the way of merging asks for.
SelectOptions with_own_criterion(SelectOptions options) {
    if (options.merge.empty()) return options;
    const MergeMethod& method = find_merge_method(options.merge);
    if (method.criterion.empty() || options.criterion == method.criterion) return options;
    if (options.criterion != SelectOptions{}.criterion) {
        throw refused(fmt::format("{} merges into the experts that {} chooses, not {}.",
                                  method.name, method.criterion, options.criterion),
                      "Leave the criterion away, or merge by another method.");
    }
    options.criterion = method.criterion;
    return options;
}

LayerPlan merged(const Selection& all, std::int64_t index, const LayerPlan& chosen) {
    const LayerStats& layer = all.stats.layers.at(index);
    const LayerDecision& decision = all.decisions.at(index);
    std::vector<std::int32_t> champions = champions_in_turn(decision);
    std::erase_if(champions, [&](std::int32_t expert) {
        return !std::binary_search(chosen.kept.begin(), chosen.kept.end(), expert);
    });
    return group_layer(chosen, {.method = find_merge_method(all.options.merge),
                                .stats = layer,
                                .router = all.config.router,
                                .order = order_of(layer, decision, all.judging),
                                .apart = required(decision, chosen),
                                .pinned = std::move(champions)});
}

}  // namespace

ExpertPlan select_experts(const ExpertStats& stats, const MoeConfig& config,
                          const SelectOptions& asked) {
    const SelectOptions options = with_own_criterion(asked);
    check_fits(stats, config);
    check_wishes(options, config);
    const std::int64_t kept = options.keep.kept_of(config.router.num_experts);
    require_can_keep(kept, config.router);
    Selection all{.stats = stats,
                  .config = config,
                  .options = options,
                  .judging = judging_of(stats, options)};
    const bool protects = all.judging.criterion.name != kRandomCriterion;
    ExpertPlan plan;
    plan.model_hash = stats.model_hash;
    plan.stats_hash = stats.file_hash;
    plan.criterion = options.criterion;
    plan.merge = options.merge;
    plan.accept = options.accept;
    if (protects) {
        for (const auto& [layer, expert] : protected_super_experts(stats, options)) {
            all.decisions[layer].protected_super.push_back(expert);
        }
    }
    for (const std::int64_t index : config.moe_layers()) {
        const LayerStats& layer = layer_stats(stats, index);
        LayerDecision& decision = all.decisions[index];
        judge(layer, index, all.judging, options.seed, decision);
        if (protects) decision.champions = champions(stats, layer, options.champion_share);
    }
    Json story;
    for (const auto& [index, count] : layer_counts(all, kept, story)) {
        const LayerPlan wish = all.wish(index);
        plan.layers[index] = choose(stats.layers.at(index), all.decisions.at(index), all.judging,
                                    LayerSelection(wish, index, count, config.router), wish);
        if (!plan.merge.empty()) plan.layers[index] = merged(all, index, plan.layers[index]);
    }
    if (options.compensates_lost_mass) compensate_lost_mass(plan, stats, config);
    plan.reasons = explain_plan(stats, plan, all.decisions);
    if (!story.is_null()) plan.reasons["budget"] = std::move(story);
    return plan;
}

}  // namespace espalier
