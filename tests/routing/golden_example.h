#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "routing/expert_stats.h"

/// The example of the specification: four experts, two a token, outputs of two numbers, three
/// tokens.
namespace golden_example {

inline constexpr std::size_t kExperts = 4;
inline constexpr std::array<std::array<double, kExperts>, 3> kLogits{
    {{2, 1, 0, -1}, {0, 2, 1, -3}, {1, 0, 3, 2}}};
/// [expert][token][2]
inline constexpr std::array<std::array<std::array<double, 2>, 3>, kExperts> kOutputs{
    {{{{3, 4}, {1, 0}, {0, 5}}},
     {{{0, 2}, {6, 8}, {1, 1}}},
     {{{1, 0}, {0, 3}, {5, 12}}},
     {{{2, 0}, {0, 1}, {8, 6}}}}};
inline constexpr std::array<std::array<std::size_t, 2>, 3> kSelected{{{0, 1}, {1, 2}, {2, 3}}};

inline double gate(std::size_t token, std::size_t expert, bool normalised) {
    double sum = 0;
    for (std::size_t e = 0; e < kExperts; ++e) {
        const bool counts = !normalised || e == kSelected[token][0] || e == kSelected[token][1];
        if (counts) sum += std::exp(kLogits[token][e]);
    }
    return std::exp(kLogits[token][expert]) / sum;
}

inline void add_token(espalier::LayerStats& stats, std::size_t token, bool normalised) {
    ++stats.tokens;
    for (const std::size_t e : kSelected[token]) {
        const auto& out = kOutputs[e][token];
        const double g = gate(token, e, normalised);
        const double norm = std::hypot(out[0], out[1]);
        stats.count[e] += 1;
        stats.gate_sum[e] += g;
        stats.norm_sum[e] += norm;
        stats.gated_norm_sum[e] += g * norm;
        stats.gated_norm_sq_sum[e] += g * norm * g * norm;
        stats.norm_sq_sum[e] += norm * norm;
        stats.max_abs[e] = std::max({stats.max_abs[e], std::abs(out[0]), std::abs(out[1])});
    }
}

inline espalier::LayerStats layer(bool normalised = true) {
    espalier::LayerStats stats = espalier::empty_layer_stats(kExperts, 0);
    for (std::size_t token = 0; token < 3; ++token) add_token(stats, token, normalised);
    return stats;
}

}  // namespace golden_example
