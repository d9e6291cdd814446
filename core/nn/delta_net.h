#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// Gated DeltaNet, as Qwen3-Next has it: a short convolution over queries, keys and values, the
/// gated delta rule, and a norm gated by silu(z).
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], after the output projection, before it is added
torch::Tensor delta_net(const BlockContext& context, const torch::Tensor& rows);

}  // namespace espalier
