#include "model/tensor_place.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/decode.h"
#include "model/row_places.h"

namespace espalier {
namespace {

std::size_t divide_up(std::size_t count, std::size_t by) { return (count + by - 1) / by; }

/// The stored rows of a place, decoded one at a time.
class StoredRows {
public:
    /// @param count stored rows, of the same length each
    StoredRows(const TensorPlace& place, std::size_t count)
        : place_(place), row_bytes_(count == 0 ? 0 : place.view.bytes.size() / count) {
        if (place.scales.bytes.empty() || place.form == TensorForm::Mxfp4Pair) return;
        scales_.resize(num_elements(place.scales.shape).value_or(0));
        kernels::decode(place.scales.dtype, place.scales.bytes, scales_);
    }

    void decode(std::size_t row, std::span<float> out) const {
        const auto bytes = place_.view.bytes.subspan(row * row_bytes_, row_bytes_);
        if (place_.form == TensorForm::Mxfp4Pair) {
            const std::size_t blocks = bytes.size() / static_cast<std::size_t>(kMxfp4Bytes);
            const auto scales = place_.scales.bytes.subspan(row * blocks, blocks);
            return kernels::decode_mxfp4_pair(bytes, scales, out);
        }
        kernels::decode(place_.view.dtype, bytes, out);
        if (scales_.empty()) return;
        const auto square = static_cast<std::size_t>(kScaledSquare);
        const std::size_t columns = divide_up(out.size(), square);
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] *= scales_[row / square * columns + i / square];
        }
    }

private:
    const TensorPlace& place_;
    std::size_t row_bytes_;
    std::vector<float> scales_;  ///< of F8_E4M3
};

std::vector<std::size_t> places_of(const TensorPlace& place, const MoeConfig& config,
                                   std::size_t num_rows) {
    const auto found = row_places(place.rows, static_cast<std::int64_t>(num_rows), config);
    std::vector<std::size_t> places(num_rows);
    for (std::size_t row = 0; row < num_rows; ++row) {
        places[row] = found.empty() ? row : static_cast<std::size_t>(found[row]);
    }
    return places;
}

/// A vector, whose elements are its rows: decoded whole, then picked.
void decode_vector(const TensorPlace& place, std::span<const std::size_t> places,
                   std::span<float> out) {
    std::vector<float> stored(num_elements(place.view.shape).value_or(0));
    kernels::decode(place.view.dtype, place.view.bytes, stored);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = stored[places[i]];
}

/// out[r][i] = stored[i][places[r]], for each of `groups` matrices one after the other.
void decode_transposed(const TensorPlace& place, std::span<const std::size_t> places,
                       std::size_t groups, std::size_t columns, std::span<float> out) {
    const StoredRows rows(place, groups * columns);
    std::vector<float> row(num_elements(place.view.shape).value_or(0) / (groups * columns));
    for (std::size_t group = 0; group < groups; ++group) {
        const auto part = out.subspan(group * places.size() * columns, places.size() * columns);
        for (std::size_t i = 0; i < columns; ++i) {
            rows.decode(group * columns + i, row);
            for (std::size_t r = 0; r < places.size(); ++r) part[r * columns + i] = row[places[r]];
        }
    }
}

/// Puts the columns of every row, which lie in another order, where they belong.
void turn_columns(const MoeConfig& config, std::size_t columns, std::span<float> values) {
    const auto places =
        row_places(RowOrder::TurnedValues, static_cast<std::int64_t>(columns), config);
    std::vector<float> row(columns);
    for (std::size_t at = 0; at < values.size(); at += columns) {
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(at), columns, row.begin());
        for (std::size_t i = 0; i < columns; ++i) {
            values[at + i] = row[static_cast<std::size_t>(places[i])];
        }
    }
}

void apply_form(const TensorPlace& place, const MoeConfig& config, std::size_t columns,
                std::span<float> values) {
    if (place.form == TensorForm::MinusOne) {
        for (float& value : values) value += 1.0F;
    } else if (place.form == TensorForm::MinusExp) {
        for (float& value : values) value = std::log(-value);
    } else if (place.form == TensorForm::TurnedColumns) {
        turn_columns(config, columns, values);
    }
}

}  // namespace

bool has_plain_rows(const TensorPlace& place) noexcept {
    return (place.form == TensorForm::Plain || place.form == TensorForm::Heads) &&
           place.scales.bytes.empty();
}

void decode(const TensorPlace& place, const MoeConfig& config, std::span<float> out) {
    if (out.empty()) return;
    const auto num_rows = static_cast<std::size_t>(place.shape.front());
    const std::size_t columns = out.size() / num_rows;
    const auto heads = static_cast<std::size_t>(config.attention.num_heads);
    if (place.form == TensorForm::TransposedHeads) {
        const auto places = places_of(place, config, num_rows / heads);
        return decode_transposed(place, places, heads, columns, out);
    }
    const auto places = places_of(place, config, num_rows);
    if (place.form == TensorForm::Transposed) {
        return decode_transposed(place, places, 1, columns, out);
    }
    if (columns == 1 && place.scales.bytes.empty()) {
        decode_vector(place, places, out);
    } else {
        const auto stored = stored_rows(place.rows, static_cast<std::int64_t>(num_rows), config);
        const StoredRows rows(place, static_cast<std::size_t>(stored));
        for (std::size_t row = 0; row < num_rows; ++row) {
            rows.decode(places[row], out.subspan(row * columns, columns));
        }
    }
    apply_form(place, config, columns, out);
}

}  // namespace espalier
