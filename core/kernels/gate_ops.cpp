#include "kernels/gate_ops.h"

#include <cstddef>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gate_ops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/tail-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// value * sigmoid(x).
template <typename D, typename V = hn::VFromD<D>>
HWY_INLINE V times_sigmoid(D d, V value, V x) {
    // Past 88, exp(-x) is infinite and value / inf = 0, as it should be.
    const V e = hn::Exp(d, hn::Neg(hn::Max(x, hn::Set(d, -88.0F))));
    return hn::Div(value, hn::Add(hn::Set(d, 1.0F), e));
}

void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, gate.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto g = load_n(d, gate.data() + i, n);
        const auto activated = times_sigmoid(d, g, g);
        store_n(hn::Mul(activated, load_n(d, up.data() + i, n)), d, out.data() + i, n);
    });
}

void clamped_silu_mul(std::span<const float> gate, std::span<const float> up, ClampedSilu options,
                      std::span<float> out) {
    const hn::ScalableTag<float> d;
    const auto one = hn::Set(d, 1.0F);
    const auto alpha = hn::Set(d, options.alpha);
    const auto high = hn::Set(d, options.limit);
    const auto low = hn::Neg(high);
    for_each_vector(d, gate.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto g = hn::Min(load_n(d, gate.data() + i, n), high);
        const auto u = hn::Clamp(load_n(d, up.data() + i, n), low, high);
        const auto activated = times_sigmoid(d, g, hn::Mul(alpha, g));
        store_n(hn::Mul(hn::Add(u, one), activated), d, out.data() + i, n);
    });
}

void silu(std::span<float> x) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = load_n(d, x.data() + i, n);
        store_n(times_sigmoid(d, v, v), d, x.data() + i, n);
    });
}

void sigmoid_mul(std::span<const float> gate, std::span<float> out) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = load_n(d, out.data() + i, n);
        store_n(times_sigmoid(d, v, load_n(d, gate.data() + i, n)), d, out.data() + i, n);
    });
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(silu_mul);
HWY_EXPORT(clamped_silu_mul);
HWY_EXPORT(silu);
HWY_EXPORT(sigmoid_mul);

void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(silu_mul)(gate, up, out);
}

void clamped_silu_mul(std::span<const float> gate, std::span<const float> up, ClampedSilu options,
                      std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(clamped_silu_mul)(gate, up, options, out);
}

void silu(std::span<float> x) { HWY_DYNAMIC_DISPATCH(silu)(x); }

void sigmoid_mul(std::span<const float> gate, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(sigmoid_mul)(gate, out);
}

}  // namespace espalier::kernels
#endif
