#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "prune/expert_plan.h"
#include "prune/explain_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a person should know before the plan is carried out: [{code, text}] with the codes
/// low_task_mass, uncertain_cut, dead_experts, deep_cut, unstable_choice; spec "expert pruning" 11.
/// @param mass task_mass_kept() of the plan
Json plan_warnings(const ExpertStats& stats, const ExpertPlan& plan,
                   const std::map<std::int64_t, LayerDecision>& decisions,
                   const std::map<std::string, double>& mass);

}  // namespace espalier
