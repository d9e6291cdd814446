#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/moe_config.h"
#include "model/tensor_names.h"
#include "model/tensor_role.h"
#include "tensor/shape.h"

namespace espalier {

/// A tensor as a file of some format has it, and the tensors of the model that it holds.
struct StoredLayout {
    std::string name;
    Shape shape;    ///< of the whole tensor
    TensorKey key;  ///< of the first that it holds; expert -1 for a stack of all experts
    std::vector<TensorName> parts;  ///< the lines of the table, one a tensor
    bool is_stack = false;
};

/// The shape of what holds a tensor of `shape`, but for a stack's experts.
Shape stored_shape(const TensorName& row, const Shape& shape, const MoeConfig& config);

/// All tensors of a file to be written, in the order of model_tensors(). Where a table has several
/// lines for a role, the first counts that is no pair of tensors.
/// @throws Error GgufInexpressible if the table has no line for a tensor of the model
std::vector<StoredLayout> stored_layouts(const MoeConfig& config, const NameTable& table);

}  // namespace espalier
