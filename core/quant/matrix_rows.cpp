#include "quant/matrix_rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/decode.h"
#include "model/row_places.h"
#include "tensor/shape.h"

namespace espalier {
namespace {

bool is_transposed(TensorForm form) {
    return form == TensorForm::Transposed || form == TensorForm::TransposedHeads;
}

/// What a file keeps in place of the value.
void apply_form(TensorForm form, std::span<float> values) {
    if (form == TensorForm::MinusOne) {
        for (float& value : values) value -= 1.0F;
    } else if (form == TensorForm::MinusExp) {
        for (float& value : values) value = -std::exp(value);
    }
}

}  // namespace

MatrixRows::MatrixRows(const ModelSource& model, const StoredLayout& layout, std::int32_t expert) {
    Shape shape = layout.shape;
    if (layout.is_stack) shape.erase(shape.begin());
    // A vector that one tensor fills from end to end is one row, any other a column.
    const bool is_row = shape.size() > 1 || (layout.parts.size() == 1 &&
                                             layout.parts.front().rows == RowOrder::AsNamed);
    num_columns_ = is_row ? static_cast<std::size_t>(shape.back()) : 1;
    num_rows_ = static_cast<std::size_t>(num_elements(shape).value_or(0)) / num_columns_;
    for (const TensorName& line : layout.parts) {
        TensorKey key = layout.key;
        key.role = line.role;
        if (layout.is_stack) key.expert = expert;
        add_part(model, line, key);
    }
}

void MatrixRows::add_part(const ModelSource& model, const TensorName& line, const TensorKey& key) {
    const MoeConfig& config = model.config();
    const Shape shape = model.shape(key);
    const auto elements = static_cast<std::size_t>(num_elements(shape).value_or(0));
    Part part{.form = line.form, .num_columns = num_columns_};
    if (is_transposed(line.form)) {
        part.num_columns = static_cast<std::size_t>(shape.back());
        // The rows of each group become the columns of a matrix of its own.
        const auto groups = num_rows_ / part.num_columns;
        const auto count = static_cast<std::size_t>(shape.front()) / groups;
        part.columns = row_places(line.rows, static_cast<std::int64_t>(count), config);
        if (part.columns.empty()) {
            part.columns.resize(count);
            std::iota(part.columns.begin(), part.columns.end(), 0);
        }
    } else {
        place_rows(line, elements / num_columns_, config);
        if (shape.size() > 1) part.stored = model.stored(key);
    }
    if (!part.stored) {
        part.decoded = Buffer<float>(elements);
        model.decode(key, part.decoded.span());
    }
    if (line.form == TensorForm::TurnedColumns) {
        turned_columns_ =
            row_places(RowOrder::TurnedValues, static_cast<std::int64_t>(num_columns_), config);
    }
    parts_.push_back(std::move(part));
}

void MatrixRows::place_rows(const TensorName& line, std::size_t count, const MoeConfig& config) {
    rows_.resize(num_rows_);
    const auto places = row_places(line.rows, static_cast<std::int64_t>(count), config);
    for (std::size_t row = 0; row < count; ++row) {
        const std::size_t place = places.empty() ? row : static_cast<std::size_t>(places[row]);
        rows_[place] = {static_cast<std::uint32_t>(parts_.size()), static_cast<std::uint32_t>(row)};
    }
}

std::span<const std::byte> MatrixRows::stored_row(const RowSource& source) const {
    const StoredTensor& stored = *parts_[source.part].stored;
    const std::size_t place = stored.row_places.empty()
                                  ? source.row
                                  : static_cast<std::size_t>(stored.row_places[source.row]);
    const DTypeInfo& type = info(stored.view.dtype);
    const std::size_t row_bytes = num_columns_ / type.block_size * type.block_bytes;
    return stored.view.bytes.subspan(place * row_bytes, row_bytes);
}

void MatrixRows::decode(std::size_t row, std::span<float> out) const {
    if (rows_.empty()) return decode_transposed(row, out);
    const RowSource& source = rows_[row];
    const Part& part = parts_[source.part];
    if (part.stored) {
        kernels::decode(part.stored->view.dtype, stored_row(source), out);
    } else {
        const auto values = part.decoded.span().subspan(source.row * num_columns_, num_columns_);
        std::copy(values.begin(), values.end(), out.begin());
    }
    apply_form(part.form, out);
    if (part.form == TensorForm::TurnedColumns) turn_columns(out);
}

void MatrixRows::decode_transposed(std::size_t row, std::span<float> out) const {
    for (const Part& part : parts_) {
        const std::size_t group = row / part.num_columns * part.columns.size();
        const std::size_t column = row % part.num_columns;
        for (std::size_t r = 0; r < part.columns.size(); ++r) {
            out[static_cast<std::size_t>(part.columns[r])] =
                part.decoded[(group + r) * part.num_columns + column];
        }
    }
}

void MatrixRows::turn_columns(std::span<float> row) const {
    const std::vector<float> values(row.begin(), row.end());
    for (std::size_t i = 0; i < values.size(); ++i) {
        row[static_cast<std::size_t>(turned_columns_[i])] = values[i];
    }
}

std::optional<std::span<const std::byte>> MatrixRows::copyable(std::size_t row, DType dtype) const {
    if (rows_.empty() || !is_block(dtype)) return std::nullopt;
    const RowSource& source = rows_[row];
    const Part& part = parts_[source.part];
    const bool keeps_values = part.form == TensorForm::Plain || part.form == TensorForm::Heads;
    if (!keeps_values || !part.stored || part.stored->view.dtype != dtype) return std::nullopt;
    return stored_row(source);
}

}  // namespace espalier
