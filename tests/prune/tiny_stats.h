#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/moe_config.h"
#include "prune/select_experts.h"
#include "routing/expert_stats.h"

/// Statistics and configs small enough to check by hand.
namespace tiny {

inline espalier::MoeConfig config(std::int64_t layers, std::int64_t experts, std::int64_t top_k) {
    espalier::MoeConfig config;
    config.layers.resize(static_cast<std::size_t>(layers));
    config.router.num_experts = experts;
    config.router.top_k = top_k;
    return config;
}

/// A layer whose expert e was chosen count[e] times with the mean gated norm reap[e].
inline espalier::LayerStats layer(const std::vector<std::int64_t>& count,
                                  const std::vector<double>& reap) {
    espalier::LayerStats stats =
        espalier::empty_layer_stats(static_cast<std::int64_t>(count.size()), 0);
    stats.half_count.clear();  // optional ones that nothing here speaks of
    stats.half_gated_norm_sum.clear();
    stats.count = count;
    for (std::size_t e = 0; e < count.size(); ++e) {
        const auto n = static_cast<double>(count[e]);
        stats.tokens += count[e];
        stats.gate_sum[e] = 0.5 * n;
        stats.norm_sum[e] = 2 * reap[e] * n;
        stats.gated_norm_sum[e] = reap[e] * n;
        stats.gated_norm_sq_sum[e] = reap[e] * reap[e] * n;
        stats.norm_sq_sum[e] = 4 * reap[e] * reap[e] * n;
        stats.max_abs[e] = 1.0;
    }
    return stats;
}

inline espalier::ExpertStats stats(std::vector<espalier::LayerStats> layers,
                                   std::int64_t top_k = 1) {
    espalier::ExpertStats stats;
    stats.model_hash = "model";
    stats.file_hash = "stats";
    stats.num_experts = static_cast<std::int64_t>(layers.front().count.size());
    stats.top_k = top_k;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        stats.layers[static_cast<std::int64_t>(i)] = std::move(layers[i]);
    }
    return stats;
}

/// No super expert is protected.
inline espalier::SelectOptions keeping(std::int64_t experts,
                                       const std::string& criterion = "reap") {
    espalier::SelectOptions options;
    options.criterion = criterion;
    options.keep.experts = experts;
    options.protects_super_experts = false;
    return options;
}

}  // namespace tiny
