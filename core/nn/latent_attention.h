#pragma once

#include <torch/types.h>

#include "nn/block_context.h"

namespace espalier {

/// DeepSeek's multi-head latent attention, arXiv:2405.04434: keys and values of all heads come from
/// one compressed row a token, and one rotated key is shared by all heads. Expanded here, not
/// absorbed: whole sequences are computed at once.
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], after the output projection, before it is added
torch::Tensor latent_attention(const BlockContext& context, const torch::Tensor& rows);

}  // namespace espalier
