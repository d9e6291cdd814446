#pragma once

#include <cstddef>
#include <span>

#include "model/moe_config.h"
#include "model/tensor_names.h"
#include "tensor/tensor_view.h"

namespace espalier {

/// Where the elements of one tensor of a model lie.
struct TensorPlace {
    TensorView view;  ///< as stored: rows that other tensors may share; of one expert
    RowOrder rows = RowOrder::AsNamed;
    TensorForm form = TensorForm::Plain;
    /// The second tensor of a pair: a factor for each 128 x 128 of F8_E4M3, one for each 32 of
    /// Mxfp4Pair.
    TensorView scales = {};
    Shape shape;  ///< of the tensor itself
};

/// Side of the squares that have a factor of their own in a matrix of F8_E4M3.
inline constexpr std::int64_t kScaledSquare = 128;
/// Values of one block of Mxfp4Pair, and the bytes that hold them.
inline constexpr std::int64_t kMxfp4Block = 32;
inline constexpr std::int64_t kMxfp4Bytes = 16;

/// True if the rows lie in the file as they are: plain bytes, perhaps in another order.
bool has_plain_rows(const TensorPlace& place) noexcept;

/// All values in float32, rows in the order of tensor_role.h.
/// @pre `out` has exactly the number of elements
void decode(const TensorPlace& place, const MoeConfig& config, std::span<float> out);

}  // namespace espalier
