#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

namespace espalier {

/// Gives each row a column of its own so that the costs add up to the least: the Hungarian method
/// with potentials and shortest augmenting paths, O(n^3) in double.
/// @param cost finite, [n, n], row after row
/// @return the column of each row; among equally good ones always the same
/// @throws Cancelled
std::vector<std::int32_t> assign_least_cost(std::span<const float> cost, std::size_t n,
                                            const std::stop_token& stop = {});

}  // namespace espalier
