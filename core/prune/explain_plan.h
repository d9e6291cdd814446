#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// How one layer was decided.
struct LayerDecision {
    std::vector<double> scores;  ///< [experts]
    /// [experts]; empty if the scores have none, or did not decide one by one
    std::vector<double> standard_errors;
    std::vector<std::int32_t> protected_super;
    std::map<std::string, std::vector<std::int32_t>> champions;  ///< by task label
};

inline constexpr double kLowestTaskMass = 0.6;

/// Share of each task's gated output norm that the kept experts carry, mean over the layers; all
/// tokens together under "" where there are no labels.
std::map<std::string, double> task_mass_kept(const ExpertStats& stats, const ExpertPlan& plan);

/// Experts that might be on the other side of the cut: score +- two standard errors reaches the
/// best that goes, or the worst that stays. Those that stay whatever their score do not count.
std::vector<std::int32_t> uncertain_experts(const LayerPlan& plan, const LayerDecision& decision);

/// The `reasons` of a plan: `layers` [{layer, cut_score, standard_error_at_cut, uncertain,
/// gate_mass_lost, lost_mass, output_scale, never_activated, super_experts, champions, stability}],
/// `never_activated_by_task`, `task_mass` and `warnings` [{code, text}] with the codes
/// low_task_mass, uncertain_cut, dead_experts, unstable_choice, deep_cut, lost_mass.
Json explain_plan(const ExpertStats& stats, const ExpertPlan& plan,
                  const std::map<std::int64_t, LayerDecision>& decisions);

}  // namespace espalier
