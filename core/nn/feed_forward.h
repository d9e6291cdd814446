#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// A layer's feed-forward block: routed experts and the shared one, or a dense MLP.
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], before it is added
torch::Tensor feed_forward(const BlockContext& context, const torch::Tensor& rows);

}  // namespace espalier
