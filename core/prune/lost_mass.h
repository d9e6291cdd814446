#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/moe_config.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Above this a plan warns: gates grow by as much.
inline constexpr double kNotableLostMass = 0.05;

/// Share of the router's probability, mean over the tokens, that experts which go had; spec "expert
/// pruning" 1. Nothing where it was not measured, as in routers whose gates are normalised among
/// the chosen: there it changes no gate.
std::optional<double> lost_mass(const LayerStats& stats, const std::vector<std::int32_t>& kept);

/// Sets each layer's output_scale to 1 - lost mass. Gates that are probabilities of all experts
/// grow by 1 / (1 - lost mass) when experts go, token by token; this takes the mean of it back.
/// @throws Error RunRecipe for a router whose gates do not grow, or statistics that do not say how
/// much
void compensate_lost_mass(ExpertPlan& plan, const ExpertStats& stats, const MoeConfig& config);

}  // namespace espalier
