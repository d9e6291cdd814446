#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "eval/perplexity.h"
#include "infer/native_model.h"
#include "routing/fidelity.h"

namespace espalier {

/// KL(reference || model) of next-token distributions and routing overlap on the same scored positions.
struct Comparison {
    double kl_mean = 0;       ///< nats
    double kl_p999 = 0;       ///< 99.9th percentile
    double top1 = 0;          ///< share of positions with the same best token
    double model_perplexity = 0;
    double reference_perplexity = 0;
    std::int64_t tokens = 0;
    std::vector<LayerFidelity> routing;
};

struct ComparisonInput {
    NativeModel& reference;
    NativeModel& model;
    /// Original ids of the model's experts per layer (its espalier.json); empty = the same experts.
    std::vector<std::vector<std::int32_t>> expert_map;
    std::span<const std::int32_t> ids;
    PerplexityOptions options;
};

Comparison compare_models(const ComparisonInput& input,
                          const std::function<void(std::int64_t done, std::int64_t total)>& progress = {},
                          std::stop_token stop = {});

}  // namespace espalier
