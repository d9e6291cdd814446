#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/half.h"

namespace espalier {

/// Scales are stored as halves: the nearest, and never infinite, so that a block of huge values
/// saturates instead of decoding to NaN.
inline std::uint16_t half_bits(float value) noexcept {
    constexpr float kLargestHalf = 65504.0F;
    return kernels::float_to_half(std::min(std::max(value, -kLargestHalf), kLargestHalf));
}

/// The value that half_bits() stands for.
inline float round_to_half(float value) noexcept {
    return kernels::half_to_float(half_bits(value));
}

inline void store_half(float value, std::byte* to) noexcept {
    const std::uint16_t bits = half_bits(value);
    std::memcpy(to, &bits, sizeof(bits));
}

}  // namespace espalier
