#include "kernels/integer_rows.h"

#include <algorithm>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Floats of one parity in a group, at most.
using HalfGroup = hn::CappedTag<float, kIntegerGroup / 2>;

float largest_magnitude(const float* x, std::size_t n) {
    const HalfGroup d;
    auto largest = hn::Zero(d);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
        largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
    }
    return hn::GetLane(hn::MaxOfLanes(d, largest));
}

/// Rounds one group, parts its even from its odd elements and returns the sum of the integers.
HWY_INLINE float quantise_group(const float* x, float inverse_scale, std::int16_t* out) {
    const HalfGroup d;
    const hn::RebindToSigned<decltype(d)> d32;
    const hn::Rebind<std::int16_t, decltype(d)> d16;
    const auto factor = hn::Set(d, inverse_scale);
    auto sum = hn::Zero(d32);
    for (std::size_t i = 0; i < kIntegerGroup / 2; i += hn::Lanes(d)) {
        hn::VFromD<decltype(d)> even;
        hn::VFromD<decltype(d)> odd;
        hn::LoadInterleaved2(d, x + 2 * i, even, odd);
        const auto even_integers = hn::NearestInt(hn::Mul(even, factor));
        const auto odd_integers = hn::NearestInt(hn::Mul(odd, factor));
        hn::StoreU(hn::DemoteTo(d16, even_integers), d16, out + i);
        hn::StoreU(hn::DemoteTo(d16, odd_integers), d16, out + kIntegerGroup / 2 + i);
        sum = hn::Add(sum, hn::Add(even_integers, odd_integers));
    }
    return static_cast<float>(hn::GetLane(hn::SumOfLanes(d32, sum)));
}

void quantise_row(std::span<const float> x, std::span<std::int16_t> values, std::span<float> scales,
                  std::span<float> sums) {
    constexpr float kLargest = 8191.0F;
    for (std::size_t begin = 0; begin < x.size(); begin += kIntegerBlock) {
        const std::size_t end = std::min(begin + kIntegerBlock, x.size());
        const float largest = largest_magnitude(x.data() + begin, end - begin);
        const float scale = largest / kLargest;
        const float inverse = largest == 0.0F ? 0.0F : kLargest / largest;
        scales[begin / kIntegerBlock] = scale;
        for (std::size_t i = begin; i < end; i += kIntegerGroup) {
            sums[i / kIntegerGroup] =
                scale * quantise_group(x.data() + i, inverse, values.data() + i);
        }
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(quantise_row);

void quantise_row(std::span<const float> x, std::span<std::int16_t> values, std::span<float> scales,
                  std::span<float> sums) {
    HWY_DYNAMIC_DISPATCH(quantise_row)(x, values, scales, sums);
}

}  // namespace espalier::kernels
#endif
