#pragma once

#include <cstddef>
#include <span>

#include "tensor/dtype.h"

namespace espalier {

/// True for F32, F16, BF16 and the block types that encode_row() knows.
bool can_encode(DType dtype) noexcept;

/// Encodes one row of whole blocks. Q8_0, Q4_0, Q5_0, Q4_1, Q5_1 without importance are the bytes
/// that ggml's reference writes; K-quants search scales for the least weighted error (spec
/// "quantisation" 2).
/// @param importance one weight per column, or empty
/// @pre values.size() is a multiple of the block size and out has exactly the bytes for it
void encode_row(DType dtype, std::span<const float> values, std::span<const float> importance,
                std::span<std::byte> out);

}  // namespace espalier
