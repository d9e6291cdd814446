#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace espalier {

/// Outermost dimension first, as PyTorch writes it; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the dimensions, or nothing if one is negative or the product overflows.
std::optional<std::uint64_t> num_elements(std::span<const std::int64_t> shape) noexcept;

/// Bytes of a tensor, or nothing on overflow or if its rows (last dimension) are not whole blocks.
std::optional<std::uint64_t> tensor_bytes(DType dtype,
                                          std::span<const std::int64_t> shape) noexcept;

/// "[64, 2048]"
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace espalier
