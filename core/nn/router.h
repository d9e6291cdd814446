#pragma once

#include <torch/types.h>
#include <vector>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"

namespace espalier {

/// Chooses top_k experts for each row. Equal scores: the lower expert id wins. Gradients reach the
/// router through the weights; the choice itself is a constant.
/// @param rows [tokens, hidden]
/// @param removed [experts], experts that count as gone: their logits become -inf before any
/// softmax, and groups are judged without them; empty = none
/// @throws Error UsageInvalid if fewer than top_k experts are left
RoutedRows route(const RouterConfig& config, const RouterWeights& router, const torch::Tensor& rows,
                 const std::vector<bool>& removed);

/// The same from what the router's matrix gives, [tokens, experts], for other choices of `removed`.
RoutedRows route_logits(const RouterConfig& config, const RouterWeights& router,
                        const torch::Tensor& logits, const std::vector<bool>& removed);

}  // namespace espalier
