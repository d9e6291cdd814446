#pragma once

#include <torch/types.h>

#include "model/model_source.h"
#include "nn/layer_weights.h"

namespace espalier {

/// What stands outside the layers: the final norm and lm_head, which is the embedding where tied.
struct Head {
    torch::Tensor norm;
    Linear output;

    /// @param normed [tokens, hidden], after the final norm
    torch::Tensor logits(const MoeConfig& config, const torch::Tensor& normed) const;
};

Head load_head(const ModelSource& source);

/// Which matrix produces logits.
TensorKey output_key(const ModelSource& source);

}  // namespace espalier
