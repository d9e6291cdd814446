#pragma once

#include <cstdint>

#include "pipeline/events.h"
#include "prune/expert_plan.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

namespace espalier {

/// One LayerMeasured event a routed layer: load, saliency by `criterion`, and what `plan` keeps
/// (null = nothing is decided).
void report_layers(const ExpertStats& stats, const Criterion& criterion, const ExpertPlan* plan,
                   std::uint64_t seed, RunObserver& observer);

}  // namespace espalier
