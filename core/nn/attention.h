#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// Attention with grouped queries, full or within the layer's window, with whatever of norms,
/// clipping, sinks and output gate the config names.
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], after the output projection, before it is added
torch::Tensor attention(const BlockContext& context, const torch::Tensor& rows);

}  // namespace espalier
