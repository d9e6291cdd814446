#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/moe_config.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What stands in place of experts: [layer][expert] -> [hidden], in float32.
using ExpertConstants = std::map<std::int64_t, std::map<std::int32_t, std::vector<float>>>;

/// True if the plan's criterion replaces the experts that it does not keep, where others remove
/// them.
bool replaces_experts(const ExpertPlan& plan);

/// b_e = sum f_e / n_e of every expert that the plan does not keep (MoNE, arXiv:2507.00390); zeros
/// for one that no token chose.
/// @throws Error RunRecipe if the statistics lack mean outputs or do not fit the model
ExpertConstants mean_outputs(const ExpertStats& stats, const ExpertPlan& plan,
                             const MoeConfig& config);

}  // namespace espalier
