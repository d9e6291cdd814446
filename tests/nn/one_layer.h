#pragma once

#include <cmath>
#include <cstdint>
#include <torch/types.h>
#include <utility>
#include <vector>

#include "nn/block_context.h"

/// One layer with weights made up by a test, without a model file.
struct OneLayer {
    espalier::MoeConfig config;
    espalier::LayerTensors weights;
    espalier::LayerTap* tap = nullptr;

    /// Runs `part` (a mixer, a feed-forward block, a whole block) over sequences of these lengths.
    template <typename Part>
    torch::Tensor run(const Part& part, const torch::Tensor& rows,
                      std::vector<std::int64_t> lengths) const {
        const espalier::Sequences sequences{std::move(lengths)};
        const espalier::Rotary rotary(config.attention.rope, rows.size(0));
        const std::vector<bool> all_kept;
        return part({.config = config,
                     .layer = 0,
                     .weights = weights,
                     .rotary = rotary,
                     .sequences = sequences,
                     .removed = all_kept,
                     .tap = tap,
                     .stop = {}},
                    rows);
    }
};

inline espalier::Linear random_linear(std::int64_t out, std::int64_t in) {
    return {.weight = torch::randn({out, in}) * 0.3, .bias = torch::randn({out}) * 0.1};
}

inline torch::Tensor random_norm(std::int64_t width) { return torch::rand({width}) + 0.5; }

inline double largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
    return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>();
}

/// The definition of RMSNorm for one vector, in float64.
inline torch::Tensor normed(const torch::Tensor& x, const torch::Tensor& weight, double epsilon) {
    return x / (x.square().mean() + epsilon).sqrt() * weight;
}

/// The definition of RoPE for one head at one position: element i turns with its partner by
/// position * theta^(-2i/dims); the rest is left alone.
inline torch::Tensor turned(const torch::Tensor& x, const espalier::RopeConfig& rope,
                            std::int64_t position) {
    torch::Tensor out = x.clone();
    const std::int64_t pairs = rope.rotated_dims / 2;
    for (std::int64_t i = 0; i < pairs; ++i) {
        const bool is_half = rope.style == espalier::RopeStyle::Half;
        const std::int64_t a = is_half ? i : 2 * i;
        const std::int64_t b = is_half ? i + pairs : 2 * i + 1;
        const double exponent =
            -2.0 * static_cast<double>(i) / static_cast<double>(rope.rotated_dims);
        const double angle = static_cast<double>(position) * std::pow(rope.theta, exponent);
        const double cos = std::cos(angle) * rope.attention_factor;
        const double sin = std::sin(angle) * rope.attention_factor;
        out[a] = x[a] * cos - x[b] * sin;
        out[b] = x[b] * cos + x[a] * sin;
    }
    return out;
}
