#pragma once

#include <torch/types.h>
#include <vector>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"

namespace espalier {

/// Chooses top_k experts for each row. Equal scores: the lower expert id wins.
/// @param rows [tokens, hidden]
/// @param removed [experts], experts that count as gone: their logits become -inf before any
/// softmax; empty = none Gradients reach the router through the weights; the choice itself is a
/// constant.
Routing route(const RouterConfig& config, const Linear& router, const torch::Tensor& rows,
              const std::vector<bool>& removed);

}  // namespace espalier
