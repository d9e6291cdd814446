#pragma once

#include <vector>

#include "model/moe_config.h"
#include "model/tensor_role.h"
#include "tensor/shape.h"

namespace espalier {

/// A tensor that a model of some config consists of.
struct ModelTensor {
    TensorKey key;
    Shape shape;
};

/// All of them: embedding, layer by layer, final norm, output. Experts one by one.
std::vector<ModelTensor> model_tensors(const MoeConfig& config);

}  // namespace espalier
