#pragma once

#include <cstdint>
#include <span>
#include <torch/types.h>

#include "model/model_source.h"

namespace espalier {

/// Input of the first layer: the ids' embeddings times the model's multiplier, [ids, hidden].
/// @throws Error DataLine for an id outside the vocabulary
torch::Tensor embed_tokens(const ModelSource& source, std::span<const std::int32_t> ids);

}  // namespace espalier
