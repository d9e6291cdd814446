#include "kernels/vector_ops.h"

#include <cmath>
#include <cstddef>
#include <limits>

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

void softmax_with_sink(std::span<float> x, float sink) {
    const hn::ScalableTag<float> d;
    const float peak = max_value(x);
    const auto largest = hn::Set(d, peak < sink ? sink : peak);
    auto sum = hn::Zero(d);
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto e = hn::Exp(d, hn::Sub(load_n(d, x.data() + i, n), largest));
        store_n(e, d, x.data() + i, n);
        // Lanes past the end hold exp(-largest): reload, which puts zeros there.
        sum = hn::Add(sum, n == hn::Lanes(d) ? e : load_n(d, x.data() + i, n));
    });
    const float dropped = std::exp(sink - hn::GetLane(largest));
    const auto factor = hn::Set(d, 1.0F / (hn::GetLane(hn::SumOfLanes(d, sum)) + dropped));
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        store_n(hn::Mul(load_n(d, x.data() + i, n), factor), d, x.data() + i, n);
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

void multiply(std::span<const float> x, std::span<float> out) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = hn::Mul(load_n(d, out.data() + i, n), load_n(d, x.data() + i, n));
        store_n(v, d, out.data() + i, n);
    });
}

void add_product(std::span<const float> x, std::span<const float> y, std::span<float> out) {
    const hn::ScalableTag<float> d;
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        const auto v = hn::MulAdd(load_n(d, x.data() + i, n), load_n(d, y.data() + i, n),
                                  load_n(d, out.data() + i, n));
        store_n(v, d, out.data() + i, n);
    });
}

void clamp(std::span<float> x, float limit) {
    const hn::ScalableTag<float> d;
    const auto high = hn::Set(d, limit);
    const auto low = hn::Neg(high);
    for_each_vector(d, x.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        store_n(hn::Clamp(load_n(d, x.data() + i, n), low, high), d, x.data() + i, n);
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

void rope_pairs(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t i = 0;
    for (; i + lanes <= cosines.size(); i += lanes) {
        hn::VFromD<decltype(d)> first;
        hn::VFromD<decltype(d)> second;
        hn::LoadInterleaved2(d, x.data() + 2 * i, first, second);
        const auto c = hn::LoadU(d, cosines.data() + i);
        const auto s = hn::LoadU(d, sines.data() + i);
        hn::StoreInterleaved2(hn::NegMulAdd(second, s, hn::Mul(first, c)),
                              hn::MulAdd(first, s, hn::Mul(second, c)), d, x.data() + 2 * i);
    }
    for (; i < cosines.size(); ++i) {
        const float first = x[2 * i];
        const float second = x[2 * i + 1];
        x[2 * i] = first * cosines[i] - second * sines[i];
        x[2 * i + 1] = second * cosines[i] + first * sines[i];
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(rms_norm);
HWY_EXPORT(max_value);
HWY_EXPORT(softmax_with_sink);
HWY_EXPORT(add);
HWY_EXPORT(add_scaled);
HWY_EXPORT(multiply);
HWY_EXPORT(add_product);
HWY_EXPORT(clamp);
HWY_EXPORT(rope);
HWY_EXPORT(rope_pairs);

void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(rms_norm)(x, weight, epsilon, out);
}

float max_value(std::span<const float> x) { return HWY_DYNAMIC_DISPATCH(max_value)(x); }

void softmax(std::span<float> x) { softmax_with_sink(x, -std::numeric_limits<float>::infinity()); }

void softmax_with_sink(std::span<float> x, float sink) {
    if (!x.empty()) HWY_DYNAMIC_DISPATCH(softmax_with_sink)(x, sink);
}

void add(std::span<const float> x, std::span<float> out) { HWY_DYNAMIC_DISPATCH(add)(x, out); }

void add_scaled(float scale, std::span<const float> x, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(add_scaled)(scale, x, out);
}

void multiply(std::span<const float> x, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(multiply)(x, out);
}

void add_product(std::span<const float> x, std::span<const float> y, std::span<float> out) {
    HWY_DYNAMIC_DISPATCH(add_product)(x, y, out);
}

void clamp(std::span<float> x, float limit) { HWY_DYNAMIC_DISPATCH(clamp)(x, limit); }

void rope(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
    HWY_DYNAMIC_DISPATCH(rope)(x, cosines, sines);
}

void rope_pairs(std::span<float> x, std::span<const float> cosines, std::span<const float> sines) {
    HWY_DYNAMIC_DISPATCH(rope_pairs)(x, cosines, sines);
}

}  // namespace espalier::kernels
#endif
