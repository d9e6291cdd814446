#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "quant/half_scale.h"

// What the searches for K-quants share. Scales (and offsets) of the sub-blocks of a super-block of
// 256 values are themselves small whole numbers times a half. Plain rounding is the first candidate
// and every later one has to beat it, so the result is never worse than plain rounding.
namespace espalier {

inline constexpr std::size_t kSuperBlock = 256;
using SuperBlockSpan = std::span<const float, kSuperBlock>;

/// The nearest half, but positive if `value` is: better a coarse scale than none.
inline float positive_half(float value) noexcept {
    constexpr float kSmallestHalf = 0x1p-24F;
    return value > 0.0F ? std::max(round_to_half(value), kSmallestHalf) : 0.0F;
}

}  // namespace espalier
