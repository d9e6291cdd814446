#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/moe_config.h"
#include "prune/expert_plan.h"
#include "prune/merge_methods.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a layer's groups are made from.
struct LayerGrouping {
    const MergeMethod& method;
    const LayerStats& stats;
    const RouterConfig& router;
    std::vector<std::int32_t> order;   ///< all experts, best first
    std::vector<std::int32_t> apart;   ///< stay as they are: nothing is merged into them
    std::vector<std::int32_t> pinned;  ///< stay, though others may join them
};

/// Puts the experts that go into groups with those that stay, within each of the router's groups;
/// the method may let others stay than `plan` says, but for those apart and pinned. Forced-out
/// experts are in no group. Deterministic: ties go to the better expert.
LayerPlan group_layer(const LayerPlan& plan, const LayerGrouping& grouping);

}  // namespace espalier
