#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// LFM2's mixer: in gives B | C | x, and the output is out(C * convolution(B * x)).
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], before it is added
torch::Tensor short_convolution(const BlockContext& context, const torch::Tensor& rows);

}  // namespace espalier
