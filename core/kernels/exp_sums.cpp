#include "kernels/exp_sums.h"

#include <algorithm>
#include <cstddef>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/exp_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/tail-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Vectors whose terms are summed as floats before they are added up in double.
constexpr std::size_t kVectorsTogether = 8;

/// Sum over vectors of term(index, count).
template <typename D, typename Term>
HWY_INLINE double sum_of(D d, std::size_t size, const Term& term) {
    const std::size_t lanes = hn::Lanes(d);
    double sum = 0;
    for (std::size_t begin = 0; begin < size; begin += kVectorsTogether * lanes) {
        const std::size_t end = std::min(size, begin + kVectorsTogether * lanes);
        auto some = hn::Zero(d);
        std::size_t i = begin;
        for (; i + lanes <= end; i += lanes) some = hn::Add(some, term(i, lanes));
        if (i < end) {
            // Lanes past the end hold terms of zeros.
            some = hn::Add(some, hn::IfThenElseZero(hn::FirstN(d, end - i), term(i, end - i)));
        }
        sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, some)));
    }
    return sum;
}

double sum_exp(std::span<const float> x, float largest) {
    const hn::ScalableTag<float> d;
    const auto peak = hn::Set(d, largest);
    return sum_of(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        return hn::Exp(d, hn::Sub(load_n(d, x.data() + i, n), peak));
    });
}

double weighted_sum(std::span<const float> weights, std::span<const float> x, float largest) {
    const hn::ScalableTag<float> d;
    const auto peak = hn::Set(d, largest);
    return sum_of(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        return hn::Mul(load_n(d, weights.data() + i, n), hn::Sub(load_n(d, x.data() + i, n), peak));
    });
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(sum_exp);
HWY_EXPORT(weighted_sum);

double sum_exp(std::span<const float> x, float largest) {
    return HWY_DYNAMIC_DISPATCH(sum_exp)(x, largest);
}

double weighted_sum(std::span<const float> weights, std::span<const float> x, float largest) {
    return HWY_DYNAMIC_DISPATCH(weighted_sum)(weights, x, largest);
}

}  // namespace espalier::kernels
#endif
