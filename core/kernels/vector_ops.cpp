#include "kernels/vector_ops.h"

#include <cmath>
#include <cstddef>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/vector_ops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/tail-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> out) {
    const hn::ScalableTag<float> d;
    auto sum = hn::Zero(d);
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = load_n(d, x.data() + i, n);
        sum = hn::MulAdd(v, v, sum);
    });
    const float mean = hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(x.size());
    const auto factor = hn::Set(d, 1.0F / std::sqrt(mean + epsilon));
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = hn::Mul(load_n(d, x.data() + i, n), factor);
        store_n(hn::Mul(v, load_n(d, weight.data() + i, n)), d, out.data() + i, n);
    });
}

float max_value(std::span<const float> x) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    float result = x[0];
    std::size_t i = 0;
    if (x.size() >= lanes) {
        auto largest = hn::LoadU(d, x.data());
        for (i = lanes; i + lanes <= x.size(); i += lanes) {
            largest = hn::Max(largest, hn::LoadU(d, x.data() + i));
        }
        result = hn::GetLane(hn::MaxOfLanes(d, largest));
    }
    for (; i < x.size(); ++i) result = result < x[i] ? x[i] : result;
    return result;
}

void softmax(std::span<float> x) {
    const hn::ScalableTag<float> d;
    const auto largest = hn::Set(d, max_value(x));
    auto sum = hn::Zero(d);
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto e = hn::Exp(d, hn::Sub(load_n(d, x.data() + i, n), largest));
        store_n(e, d, x.data() + i, n);
        // Lanes past the end hold exp(-largest): reload, which puts zeros there.
        sum = hn::Add(sum, n == hn::Lanes(d) ? e : load_n(d, x.data() + i, n));
    });
    const auto factor = hn::Set(d, 1.0F / hn::GetLane(hn::SumOfLanes(d, sum)));
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        store_n(hn::Mul(load_n(d, x.data() + i, n), factor), d, x.data() + i, n);
    });
}

void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
    const hn::ScalableTag<float> d;
    const auto one = hn::Set(d, 1.0F);
    // Past 88, exp(-x) is infinite and x / inf = -0, as it should be.
    const auto lowest = hn::Set(d, -88.0F);
    for_each_vector(d, gate.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto g = load_n(d, gate.data() + i, n);
        const auto e = hn::Exp(d, hn::Neg(hn::Max(g, lowest)));
        const auto silu = hn::Div(g, hn::Add(one, e));
        store_n(hn::Mul(silu, load_n(d, up.data() + i, n)), d, out.data() + i, n);
    });
}

void add(std::span<const float> x, std::span<float> out) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = hn::Add(load_n(d, out.data() + i, n), load_n(d, x.data() + i, n));
        store_n(v, d, out.data() + i, n);
    });
}

void add_scaled(float scale, std::span<const float> x, std::span<float> out) {
    const hn::ScalableTag<float> d;
    const auto factor = hn::Set(d, scale);
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto old = load_n(d, out.data() + i, n);
        store_n(hn::MulAdd(factor, load_n(d, x.data() + i, n), old), d, out.data() + i, n);
    });
}

void rope(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
    const hn::ScalableTag<float> d;
    const std::size_t half = cosines.size();
    for_each_vector(d, half, [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto c = load_n(d, cosines.data() + i, n);
        const auto s = load_n(d, sines.data() + i, n);
        const auto first = load_n(d, x.data() + i, n);
        const auto second = load_n(d, x.data() + half + i, n);
        store_n(hn::NegMulAdd(second, s, hn::Mul(first, c)), d, x.data() + i, n);
        store_n(hn::MulAdd(first, s, hn::Mul(second, c)), d, x.data() + half + i, n);
    });
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(rms_norm);
HWY_EXPORT(softmax);
HWY_EXPORT(silu_mul);
HWY_EXPORT(add);
HWY_EXPORT(add_scaled);
HWY_EXPORT(rope);

void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(rms_norm)(x, weight, epsilon, out);
}

void softmax(std::span<float> x) {
    if (!x.empty()) HWY_DYNAMIC_DISPATCH(softmax)(x);
}

void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(silu_mul)(gate, up, out);
}

void add(std::span<const float> x, std::span<float> out) { HWY_DYNAMIC_DISPATCH(add)(x, out); }

void add_scaled(float scale, std::span<const float> x, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(add_scaled)(scale, x, out);
}

void rope(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
    HWY_DYNAMIC_DISPATCH(rope)(x, cosines, sines);
}

}  // namespace espalier::kernels
#endif
