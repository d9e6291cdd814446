#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace espalier::kernels {

/// Elements that share a scale in the integer form of activations.
inline constexpr std::size_t kIntegerBlock = 256;
/// Elements that share a sum, and that weight blocks are cut into.
inline constexpr std::size_t kIntegerGroup = 32;

/// Vectors as 14-bit integers: value = scale of its block of 256 * integer, integers in [-8191,
/// 8191], each within half a step of the float. In every group of 32 the 16 elements at even places
/// come first, then those at odd places, which is how two nibbles or bytes fall out of 16-bit lanes
/// of weights.
struct IntegerRows {
    std::span<const std::int16_t> values;  ///< [rows, columns]
    std::span<const float> scales;         ///< [rows, ceil(columns / 256)]
    std::span<const float> sums;           ///< [rows, columns / 32]: values of each group added up
    std::size_t count = 0;                 ///< number of vectors
    std::size_t columns = 0;               ///< a multiple of 32
    std::span<const std::int32_t> picked;  ///< row of each vector; empty: 0, 1, …

    std::size_t num_blocks() const noexcept {
        return (columns + kIntegerBlock - 1) / kIntegerBlock;
    }
    std::size_t index(std::size_t vector) const noexcept {
        return picked.empty() ? vector : static_cast<std::size_t>(picked[vector]);
    }
};

/// One row into its integer form; x.size() is a multiple of 32, the other spans are a row of
/// IntegerRows.
void quantise_row(std::span<const float> x, std::span<std::int16_t> values, std::span<float> scales,
                  std::span<float> sums);

}  // namespace espalier::kernels
