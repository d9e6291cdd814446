#pragma once

#include <span>

namespace espalier::kernels {

// sigmoid(x) = 1 / (1 + exp(-x)), silu(x) = x * sigmoid(x); relative error about 1e-6. Values far
// out stay finite: silu(-1e30) is 0, not NaN.

/// out[i] = silu(gate[i]) * up[i]. `out` may alias either.
void silu_mul(std::span<const float> gate, std::span<const float> up, std::span<float> out);

/// out[i] = g * sigmoid(alpha * g) * (u + 1) with g = min(gate[i], limit) and u = up[i] held within
/// -limit and limit: the experts of gpt-oss. `out` may alias either.
struct ClampedSilu {
    float alpha = 1.702F;
    float limit = 7.0F;
};
void clamped_silu_mul(std::span<const float> gate, std::span<const float> up, ClampedSilu options,
                      std::span<float> out);

/// x[i] = silu(x[i]).
void silu(std::span<float> x);

/// out[i] *= sigmoid(gate[i]).
void sigmoid_mul(std::span<const float> gate, std::span<float> out);

}  // namespace espalier::kernels
