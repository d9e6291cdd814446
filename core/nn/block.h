#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// hidden + mixer(norm(hidden)), then + feed_forward(norm(.)), each times the model's residual
/// multiplier.
/// @param hidden [tokens, hidden], the residual stream
torch::Tensor run_block(const BlockContext& context, const torch::Tensor& hidden);

}  // namespace espalier
