#pragma once

#include <span>

namespace espalier::kernels {

/// out[i] = x[i] * weight[i] / sqrt(mean(x^2) + epsilon); every span is [hidden].
/// RMSNorm, arXiv:1910.07467. `out` may alias `x`. Accumulates in float.
void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon,
              std::span<float> out);

/// x is not empty and holds no NaN.
float max_value(std::span<const float> x);

/// x = softmax(x), in place. At least one value is finite; -inf becomes exactly 0. Relative error
/// of each exp about 1e-7.
void softmax(std::span<float> x);

/// As softmax(x) with one more logit, `sink`, whose probability is dropped: the sum is below 1. A
/// sink of -inf changes nothing.
void softmax_with_sink(std::span<float> x, float sink);

/// out[i] += x[i].
void add(std::span<const float> x, std::span<float> out);

/// out[i] = out[i] + scale * x[i], one rounding where the machine has FMA.
void add_scaled(float scale, std::span<const float> x, std::span<float> out);

/// out[i] *= x[i].
void multiply(std::span<const float> x, std::span<float> out);

/// out[i] = out[i] + x[i] * y[i], one rounding where the machine has FMA.
void add_product(std::span<const float> x, std::span<const float> y, std::span<float> out);

/// x[i] = min(max(x[i], -limit), limit); limit >= 0.
void clamp(std::span<float> x, float limit);

/// Rotary position embedding in half style on one head: with h = cosines.size(), the pair (x[i],
/// x[i+h]) turns by angle i; values from 2h on stay. RoFormer, arXiv:2104.09864.
void rope(std::span<float> x, std::span<const float> cosines, std::span<const float> sines);

/// The same in pair style: (x[2i], x[2i+1]) turns by angle i.
void rope_pairs(std::span<float> x, std::span<const float> cosines, std::span<const float> sines);

}  // namespace espalier::kernels
