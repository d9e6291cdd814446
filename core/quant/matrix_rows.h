#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "model/model_source.h"
#include "tensor/buffer.h"

namespace espalier {

/// One matrix (or vector, as a single row) of a model, row by row in the order that a GGUF file
/// wants. Rows are decoded as they are asked for; only matrices that lie transposed or interleaved
/// on disk are decoded whole.
class MatrixRows {
public:
    /// @param rows the order of rows to hand out
    MatrixRows(const ModelSource& model, const TensorKey& key, RowOrder rows);

    std::size_t num_rows() const noexcept { return num_rows_; }
    std::size_t num_columns() const noexcept { return num_columns_; }

    /// Values of row `row`. Callable from several threads.
    void decode(std::size_t row, std::span<float> out) const;
    /// The stored bytes of row `row` if they are of block type `dtype` already, else nothing.
    std::optional<std::span<const std::byte>> copyable(std::size_t row, DType dtype) const;

private:
    std::span<const std::byte> stored_row(std::size_t row) const;
    std::size_t source_row(std::size_t row) const noexcept;

    std::optional<TensorView> view_;  ///< absent if decoded whole
    Buffer<float> decoded_;
    std::size_t num_rows_ = 0;
    std::size_t num_columns_ = 0;
    std::size_t head_dim_ = 0;  ///< 0: rows are in the wanted order already
};

}  // namespace espalier
