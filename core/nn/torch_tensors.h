#pragma once

#include <cstdint>
#include <span>
#include <torch/types.h>
#include <vector>

#include "model/model_source.h"

namespace espalier {

/// One tensor of a model in float32, whatever it is stored as; its shape is that of tensor_role.h.
torch::Tensor decode_tensor(const ModelSource& source, const TensorKey& key);

/// The same, or an undefined tensor if the model has none.
torch::Tensor decode_optional(const ModelSource& source, const TensorKey& key);

/// Rows `rows` of a matrix in float32, [rows, columns]: for plain floats only those rows are read.
torch::Tensor decode_rows(const ModelSource& source, const TensorKey& key,
                          std::span<const std::int32_t> rows);

/// Values of a contiguous float32 tensor. Valid while the tensor lives.
std::span<const float> values(const torch::Tensor& tensor);
std::span<float> mutable_values(torch::Tensor& tensor);

}  // namespace espalier
