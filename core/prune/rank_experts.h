#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace espalier {

/// Expert ids from the best to the worst score; equal scores by the higher count, then the lower
/// id.
std::vector<std::int32_t> rank_experts(std::span<const double> scores,
                                       std::span<const std::int64_t> count);

}  // namespace espalier
