#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace espalier::kernels {

/// A weight matrix [rows, columns] as it lies in its file: rows of whole blocks, `row_stride` bytes
/// apart. MXFP4 may have its scales apart, as decode_mxfp4_pair() reads them.
struct MatrixView {
    DType dtype = DType::F32;
    std::span<const std::byte> bytes;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t row_stride = 0;
    std::span<const std::byte> scales = {};  ///< empty: they lie in the blocks
    std::size_t scales_stride = 0;

    const std::byte* row(std::size_t index) const noexcept {
        return bytes.data() + index * row_stride;
    }
    const std::byte* scales_of(std::size_t index) const noexcept {
        return scales.data() + index * scales_stride;
    }
};

/// Rows [first, last) of a matrix: the piece of a product that one call computes.
struct RowRange {
    std::size_t first = 0;
    std::size_t last = 0;
};

/// Vectors to multiply with: rows of `columns` floats, `stride` apart, all of them or those picked.
struct RowsView {
    std::span<const float> values;
    std::size_t count = 0;  ///< number of vectors
    std::size_t stride = 0;
    std::span<const std::int32_t> picked;  ///< row of each vector; empty: 0, 1, …

    std::size_t index(std::size_t vector) const noexcept {
        return picked.empty() ? vector : static_cast<std::size_t>(picked[vector]);
    }
    const float* row(std::size_t vector) const noexcept {
        return values.data() + index(vector) * stride;
    }
};

/// Where products go: element (vector, weight row) lies at values[vector * stride + row].
struct ProductsView {
    std::span<float> values;
    std::size_t stride = 0;
};

/// Contiguous float rows as a matrix, with `row_stride` floats from one to the next.
inline MatrixView float_matrix(std::span<const float> values, std::size_t rows, std::size_t columns,
                               std::size_t row_stride) {
    return {.dtype = DType::F32,
            .bytes = std::as_bytes(values),
            .rows = rows,
            .columns = columns,
            .row_stride = row_stride * sizeof(float)};
}

}  // namespace espalier::kernels
