#pragma once

#include <cstdint>
#include <vector>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"

namespace espalier {

/// How a flip of one expert changes the choice of some rows.
struct RoutingFlip {
    torch::Tensor rows;      ///< [changed] int64, ascending; undefined: the flip leaves too few
    torch::Tensor selected;  ///< [changed, top_k], instead of the choice without the flip
    torch::Tensor weights;   ///< [changed, top_k]
};

/// One for each expert of the layer: its removal, or its return if it is in `removed`.
/// @param logits of the router, [tokens, experts]
/// @param routing what the router chooses without a flip
std::vector<RoutingFlip> flip_experts(const RouterConfig& config, const RouterWeights& router,
                                      const torch::Tensor& logits, const std::vector<bool>& removed,
                                      const RoutedRows& routing);

/// Gradients with respect to a layer's routed output, [tokens, hidden].
struct OutputGradients {
    torch::Tensor cost;     ///< of the summed cost
    torch::Tensor sampled;  ///< of the summed log loss of labels drawn from the predictions
};

/// For each expert, sums over tokens of what its flip does to the routed output.
struct FlipSums {
    std::vector<double> slope;      ///< gradient of the cost times change
    std::vector<double> curvature;  ///< (gradient of the sampled loss times change)^2
    void add(const FlipSums& other);
};

/// A layer under a mask whose experts are flipped, each alone.
struct FlippedLayer {
    const MoeConfig& config;
    std::int64_t layer = 0;
    const LayerTensors& weights;
    const std::vector<bool>& removed;  ///< experts that are gone; empty = none
};

/// @param rows [tokens, hidden], what goes into the layer's router and experts
FlipSums sum_flips(const FlippedLayer& layer, const torch::Tensor& rows,
                   const OutputGradients& gradients);

}  // namespace espalier
