#include "prune/explain_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <span>

#include "prune/expert_sets.h"
#include "prune/lost_mass.h"
#include "prune/plan_warnings.h"
#include "prune/stability.h"

namespace espalier {
namespace {

/// Share of `values` that stands at the ids of `kept`; 1 where there is nothing to share.
double share_kept(std::span<const double> values, const ExpertIds& kept) {
    const double total = std::accumulate(values.begin(), values.end(), 0.0);
    double sum = 0.0;
    for (const std::int32_t id : kept) sum += values[static_cast<std::size_t>(id)];
    return total > 0.0 ? sum / total : 1.0;
}

/// The best score that goes: who scores above it stays.
std::optional<std::int32_t> best_removed(const ExpertIds& removed,
                                         const std::vector<double>& scores) {
    if (removed.empty()) return std::nullopt;
    return *std::max_element(removed.begin(), removed.end(), [&](std::int32_t a, std::int32_t b) {
        return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
    });
}

/// Whose place has nothing to do with their score.
std::set<std::int32_t> protected_experts(const LayerPlan& plan, const LayerDecision& decision) {
    std::set<std::int32_t> ids(plan.locked.begin(), plan.locked.end());
    ids.insert(plan.forced_out.begin(), plan.forced_out.end());
    ids.insert(decision.protected_super.begin(), decision.protected_super.end());
    for (const auto& [task, best] : decision.champions) ids.insert(best.begin(), best.end());
    return ids;
}

Json layer_reasons(std::int64_t index, const LayerStats& stats, const LayerPlan& plan,
                   const LayerDecision& decision) {
    Json json = {{"layer", index},
                 {"gate_mass_lost", 1.0 - share_kept(stats.gate_sum, plan.kept)},
                 {"never_activated", never_activated(stats.count)},
                 {"super_experts", decision.protected_super},
                 {"champions", decision.champions}};
    if (const auto lost = lost_mass(stats, plan.kept)) json["lost_mass"] = *lost;
    if (plan.output_scale != 1.0) json["output_scale"] = plan.output_scale;
    const ExpertIds removed = removed_experts(plan.kept, stats.count.size());
    if (const auto cut = best_removed(removed, decision.scores)) {
        const auto e = static_cast<std::size_t>(*cut);
        json["cut_score"] = decision.scores[e];
        if (!decision.standard_errors.empty()) {
            json["standard_error_at_cut"] = decision.standard_errors[e];
        }
    }
    if (!decision.standard_errors.empty()) json["uncertain"] = uncertain_experts(plan, decision);
    const auto curve = stability_curve(stats, static_cast<std::int64_t>(plan.kept.size()));
    if (!curve.empty()) json["stability"] = curve;
    return json;
}

Json dead_by_task(const ExpertStats& stats) {
    Json result = Json::object();
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
        std::size_t dead = 0;
        for (const auto& [index, layer] : stats.layers) {
            if (layer.task_count.size() < (task + 1) * experts) continue;
            dead += never_activated(std::span(layer.task_count).subspan(task * experts, experts))
                        .size();
        }
        result[stats.tasks[task]] = dead;
    }
    return result;
}

}  // namespace

std::vector<std::int32_t> uncertain_experts(const LayerPlan& plan, const LayerDecision& decision) {
    std::vector<std::int32_t> found;
    if (decision.standard_errors.empty()) return found;
    const std::set<std::int32_t> protects = protected_experts(plan, decision);
    const auto score = [&](std::int32_t id) {
        return decision.scores[static_cast<std::size_t>(id)];
    };
    const auto is_kept = [&](std::int32_t id) {
        return std::binary_search(plan.kept.begin(), plan.kept.end(), id);
    };
    const auto experts = static_cast<std::int32_t>(decision.scores.size());
    double worst_kept = std::numeric_limits<double>::infinity();
    double best_gone = -worst_kept;
    for (std::int32_t id = 0; id < experts; ++id) {
        if (protects.contains(id)) continue;
        if (is_kept(id)) {
            worst_kept = std::min(worst_kept, score(id));
        } else {
            best_gone = std::max(best_gone, score(id));
        }
    }
    for (std::int32_t id = 0; id < experts; ++id) {
        if (protects.contains(id)) continue;
        const double twice = 2 * decision.standard_errors[static_cast<std::size_t>(id)];
        const bool crosses =
            is_kept(id) ? score(id) - twice < best_gone : score(id) + twice > worst_kept;
        if (crosses) found.push_back(id);
    }
    return found;
}

std::map<std::string, double> task_mass_kept(const ExpertStats& stats, const ExpertPlan& plan) {
    std::map<std::string, double> mass;
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    const auto add = [&](const std::string& label, std::span<const double> values,
                         const ExpertIds& kept) {
        mass[label] += share_kept(values, kept) / static_cast<double>(plan.layers.size());
    };
    for (const auto& [index, layer_plan] : plan.layers) {
        const LayerStats& layer = stats.layers.at(index);
        if (stats.tasks.empty()) add("", layer.gated_norm_sum, layer_plan.kept);
        for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
            if (layer.task_gated_norm_sum.size() < (task + 1) * experts) continue;
            add(stats.tasks[task],
                std::span(layer.task_gated_norm_sum).subspan(task * experts, experts),
                layer_plan.kept);
        }
    }
    return mass;
}

Json explain_plan(const ExpertStats& stats, const ExpertPlan& plan,
                  const std::map<std::int64_t, LayerDecision>& decisions) {
    const auto mass = task_mass_kept(stats, plan);
    Json layers = Json::array();
    for (const auto& [index, layer_plan] : plan.layers) {
        layers.push_back(
            layer_reasons(index, stats.layers.at(index), layer_plan, decisions.at(index)));
    }
    return {{"layers", std::move(layers)},
            {"never_activated_by_task", dead_by_task(stats)},
            {"task_mass", mass},
            {"warnings", plan_warnings(stats, plan, decisions, mass)}};
}

}  // namespace espalier
