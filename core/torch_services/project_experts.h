#pragma once

#include <vector>

#include "eval/expert_projector.h"
#include "model/moe_config.h"
#include "nn/layer_weights.h"

namespace espalier {

/// Gradients with respect to a layer's routed output, [tokens, hidden].
struct OutputGradients {
    torch::Tensor cost;                  ///< of the summed cost
    std::vector<torch::Tensor> sampled;  ///< of the summed log loss of each token's i-th label
};

/// Runs every expert of a routed layer on every token.
/// @param rows [tokens, hidden], what goes into the layer's router and experts
ProjectedLayer project_experts(const MoeConfig& config, const LayerTensors& weights,
                               const torch::Tensor& rows, const OutputGradients& gradients);

}  // namespace espalier
