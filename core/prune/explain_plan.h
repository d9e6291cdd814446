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
    std::vector<std::int32_t> protected_super;
    std::map<std::string, std::vector<std::int32_t>> champions;  ///< by task label
};

inline constexpr double kLowestTaskMass = 0.6;

/// Share of each task's gated output norm that the kept experts carry, mean over the layers; all
/// tokens together under "" where there are no labels.
std::map<std::string, double> task_mass_kept(const ExpertStats& stats, const ExpertPlan& plan);

/// The `reasons` of a plan: `layers` [{layer, cut_score, cut_standard_error, gate_mass_lost,
/// never_activated, super_experts, champions}], `never_activated_by_task`, `task_mass` and
/// `warnings`
/// [{code, text}] with the codes low_task_mass, uncertain_cut, dead_experts, unstable_choice,
/// deep_cut.
Json explain_plan(const ExpertStats& stats, const ExpertPlan& plan,
                  const std::map<std::int64_t, LayerDecision>& decisions);

}  // namespace espalier
