#include "prune/explain_plan.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>

#include "prune/expert_sets.h"
#include "prune/plan_warnings.h"
#include "routing/criterion.h"

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

Json layer_reasons(std::int64_t index, const LayerStats& stats, const LayerPlan& plan,
                   const LayerDecision& decision) {
    Json json = {{"layer", index},
                 {"gate_mass_lost", 1.0 - share_kept(stats.gate_sum, plan.kept)},
                 {"never_activated", never_activated(stats.count)},
                 {"super_experts", decision.protected_super},
                 {"champions", decision.champions}};
    const ExpertIds removed = removed_experts(plan.kept, stats.count.size());
    if (const auto cut = best_removed(removed, decision.scores)) {
        const auto e = static_cast<std::size_t>(*cut);
        json["cut_score"] = decision.scores[e];
        json["reap_standard_error_at_cut"] = reap_standard_error(stats)[e];
    }
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
            {"warnings", plan_warnings(stats, plan, mass)}};
}

}  // namespace espalier
