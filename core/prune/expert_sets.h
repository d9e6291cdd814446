#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace espalier {

using ExpertIds = std::vector<std::int32_t>;

/// Ids of 0 … num_experts - 1 that are not in `kept`, ascending as `kept` is.
ExpertIds removed_experts(const ExpertIds& kept, std::size_t num_experts);

/// Common ids over all ids of two ascending lists; 1 where both are empty.
double jaccard(const ExpertIds& a, const ExpertIds& b);

/// Ids whose count is 0.
ExpertIds never_activated(std::span<const std::int64_t> count);

}  // namespace espalier
