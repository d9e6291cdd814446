#include "quant/matrix_rows.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "kernels/decode.h"
#include "tensor/shape.h"

namespace espalier {

MatrixRows::MatrixRows(const ModelSource& model, const TensorKey& key, RowOrder rows) {
    const Shape shape = model.shape(key);
    num_columns_ = shape.empty() ? 1 : static_cast<std::size_t>(shape.back());
    num_rows_ = static_cast<std::size_t>(num_elements(shape).value_or(0)) / num_columns_;
    const auto stored = model.stored(key);
    if (stored && stored->rows == rows) {
        view_ = stored->view;
        return;
    }
    if (rows == RowOrder::RotaryPairs) {
        head_dim_ = static_cast<std::size_t>(model.config().attention.head_dim);
        if (num_rows_ % head_dim_ != 0 || head_dim_ % 2 != 0) {
            throw Error(
                ErrorCode::ArchTensor,
                fmt::format("{} rows cannot be paired within heads of {}.", num_rows_, head_dim_));
        }
    }
    if (stored && stored->rows == RowOrder::AsNamed) {
        view_ = stored->view;
    } else {
        decoded_ = Buffer<float>(num_rows_ * num_columns_);
        model.decode(key, decoded_.span());
    }
}

/// Rotary pairs: row 2r of a head is the named row r, row 2r + 1 the named row r + head_dim / 2.
std::size_t MatrixRows::source_row(std::size_t row) const noexcept {
    if (head_dim_ == 0) return row;
    const std::size_t within = row % head_dim_;
    return row - within + within / 2 + (within % 2) * (head_dim_ / 2);
}

std::span<const std::byte> MatrixRows::stored_row(std::size_t row) const {
    const std::size_t row_bytes = view_->bytes.size() / num_rows_;
    return view_->bytes.subspan(source_row(row) * row_bytes, row_bytes);
}

void MatrixRows::decode(std::size_t row, std::span<float> out) const {
    if (view_) {
        kernels::decode(view_->dtype, stored_row(row), out);
        return;
    }
    const auto values = decoded_.span().subspan(source_row(row) * num_columns_, num_columns_);
    std::copy(values.begin(), values.end(), out.begin());
}

std::optional<std::span<const std::byte>> MatrixRows::copyable(std::size_t row, DType dtype) const {
    if (!view_ || view_->dtype != dtype || !is_block(dtype)) return std::nullopt;
    return stored_row(row);
}

}  // namespace espalier
