#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/model_source.h"
#include "model/stored_layout.h"
#include "tensor/buffer.h"

namespace espalier {

/// One tensor of a file to be written (of a stack, one expert's part), row by row, taken from the
/// tensors of a model that it holds. Rows are decoded as they are asked for; only what
/// is stored in no rows is decoded whole.
class MatrixRows {
public:
    /// @param expert of a stack; -1 for any other tensor
    MatrixRows(const ModelSource& model, const StoredLayout& layout, std::int32_t expert = -1);

    std::size_t num_rows() const noexcept { return num_rows_; }
    /// 1 for a vector that is put together element by element.
    std::size_t num_columns() const noexcept { return num_columns_; }

    /// Values of row `row`. Callable from several threads.
    void decode(std::size_t row, std::span<float> out) const;
    /// The stored bytes of row `row` if they are of block type `dtype` already, else nothing.
    std::optional<std::span<const std::byte>> copyable(std::size_t row, DType dtype) const;

private:
    /// Where the rows of one tensor of the model come from.
    struct Part {
        TensorForm form = TensorForm::Plain;
        std::optional<StoredTensor> stored = {};  ///< absent if decoded whole
        Buffer<float> decoded = {};               ///< rows in the order of tensor_role.h
        std::size_t num_columns = 0;
        /// Transposed forms: the column that each row of a group becomes.
        std::vector<std::int32_t> columns = {};
    };
    struct RowSource {
        std::uint32_t part = 0;
        std::uint32_t row = 0;  ///< in the order of tensor_role.h
    };

    void add_part(const ModelSource& model, const TensorName& line, const TensorKey& key);
    void place_rows(const TensorName& line, std::size_t count, const MoeConfig& config);
    std::span<const std::byte> stored_row(const RowSource& source) const;
    void decode_transposed(std::size_t row, std::span<float> out) const;
    void turn_columns(std::span<float> row) const;

    std::vector<Part> parts_;
    std::vector<RowSource> rows_;  ///< empty for transposed forms
    std::vector<std::int32_t> turned_columns_;
    std::size_t num_rows_ = 0;
    std::size_t num_columns_ = 0;
};

}  // namespace espalier
