#pragma once

#include <filesystem>
#include <string>

#include "model/moe_config.h"
#include "model/tensor_names.h"
#include "model/tensor_place.h"
#include "model/tensor_role.h"

namespace espalier {

/// One tensor of a model looked for under one line of the family's table.
struct TensorRequest {
    const TensorName& row;
    const TensorKey& key;
    const Shape& shape;  ///< of the tensor itself, as model_tensors() has it
    const MoeConfig& config;
    const std::filesystem::path& path;  ///< of the model; named in errors

    /// True if the file has all experts in one tensor.
    bool is_stack() const noexcept;
    /// Of the tensor, or of the first of a pair.
    std::string name() const;
    /// Of the second of a pair, given the type of the first; empty if there is none.
    std::string partner_name(DType dtype) const;
};

/// Checks types and shapes; takes one expert's part of a stack, and the half that counts of a
/// matrix of two.
/// @param scales null if there is no second tensor
/// @throws Error ArchTensor for a shape that the config does not ask for, FileUnsupported for a
/// type that cannot be decoded
TensorPlace place_tensor(const TensorRequest& request, const TensorView& found,
                         const TensorView* scales);

}  // namespace espalier
