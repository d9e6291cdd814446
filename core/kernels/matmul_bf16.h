#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/matrix_view.h"

namespace espalier::kernels {

/// Vectors of bfloat16 to multiply with: rows of `columns` values, `stride` apart, all of them or
/// those picked.
struct Bf16RowsView {
    std::span<const std::uint16_t> values;
    std::size_t count = 0;  ///< number of vectors
    std::size_t stride = 0;
    std::span<const std::int32_t> picked;  ///< row of each vector; empty: 0, 1, …

    const std::uint16_t* row(std::size_t vector) const noexcept {
        const std::size_t index =
            picked.empty() ? vector : static_cast<std::size_t>(picked[vector]);
        return values.data() + index * stride;
    }
};

/// Weight rows that are turned together before vectors meet them: a call for fewer repeats work.
inline constexpr std::size_t kBf16BlockRows = 256;

/// True where the processor multiplies pairs of bfloat16 and this kernel makes use of it
/// (AVX512-BF16). Elsewhere matmul_float() on rounded values gives the same but for the last bits.
bool has_matmul_bf16() noexcept;

/// out(t, r) = dot(x row t, weight row r), products of bfloat16 summed in float32. Pairs of columns
/// are added in ascending order, 1024 columns at a time, whatever the number of vectors and rows,
/// so neither changes the bits of a product. Denormals count as zero.
/// @pre has_matmul_bf16(), weights.dtype == BF16, an even number of columns, x.stride >=
/// weights.columns
void matmul_bf16(const MatrixView& weights, RowRange rows, const Bf16RowsView& x, ProductsView out);

/// Each value rounded to the nearest bfloat16, to even in between; NaN stays NaN.
void round_to_bf16(std::span<const float> values, std::span<std::uint16_t> out) noexcept;

}  // namespace espalier::kernels
