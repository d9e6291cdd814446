#pragma once

#include <cstdint>
#include <vector>

#include "routing/expert_stats.h"

namespace espalier {

/// How far the experts that REAP would keep agree (Jaccard) between T/8 and T/4, T/4 and T/2, T/2
/// and all of the tokens; empty if that was not measured. The tokens are whole windows taken by
/// turns from all of the data, so that shards add up; with few windows a step may hold none and is
/// then left out.
std::vector<double> stability_curve(const LayerStats& layer, std::int64_t kept);

}  // namespace espalier
