#include "infer/weight_matrix.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <optional>

#include "base/error.h"
#include "kernels/decode.h"
#include "kernels/fp4.h"

namespace espalier {
namespace {

std::size_t row_bytes(DType dtype, std::size_t columns) {
    const DTypeInfo& type = info(dtype);
    return columns / type.block_size * type.block_bytes;
}

/// First place and step of rows that lie evenly spaced, in ascending order.
struct Spacing {
    std::size_t first = 0;
    std::size_t step = 1;
};

std::optional<Spacing> even_spacing(std::span<const std::int32_t> places) {
    if (places.empty()) return Spacing{};
    const std::int32_t step = places.size() < 2 ? 1 : places[1] - places[0];
    if (step < 1) return std::nullopt;
    for (std::size_t i = 1; i < places.size(); ++i) {
        if (places[i] - places[i - 1] != step) return std::nullopt;
    }
    return Spacing{static_cast<std::size_t>(places.front()), static_cast<std::size_t>(step)};
}

/// True if bfloat16 holds every value exactly: the lower halves of all floats are zero.
bool fits_bfloat16(std::span<const float> values) {
    return std::all_of(values.begin(), values.end(), [](float value) {
        return (std::bit_cast<std::uint32_t>(value) & 0xFFFFU) == 0;
    });
}

}  // namespace

WeightMatrix::WeightMatrix(const ModelSource& source, const TensorKey& key)
    : source_(&source), key_(key) {
    const Shape shape = source.shape(key);
    view_.rows = static_cast<std::size_t>(shape.at(0));
    view_.columns = static_cast<std::size_t>(shape.at(1));
    const auto stored = source.stored(key);
    if (!stored) {
        is_copy_ = !view_pair();
        return;
    }
    view_.dtype = stored->view.dtype;
    if (!kernels::can_decode(view_.dtype)) {
        throw Error(
            ErrorCode::FileUnsupported,
            fmt::format("{} holds a weight matrix of type {}, which cannot be computed with.",
                        source.name(), info(view_.dtype).name),
            "Convert the model to one of the usual types, for example Q8_0.");
    }
    if (stored->rows == RowOrder::RotaryPairs) rows_ = RowOrder::RotaryPairs;
    view_stored(*stored);
}

void WeightMatrix::view_stored(const StoredTensor& stored) {
    const bool in_place = stored.rows == RowOrder::RotaryPairs;
    const auto spacing = in_place ? Spacing{} : even_spacing(stored.row_places);
    if (!spacing) {
        is_copy_ = true;
        return;
    }
    const std::size_t row = row_bytes(view_.dtype, view_.columns);
    view_.row_stride = row * spacing->step;
    view_.bytes = stored.view.bytes.subspan(row * spacing->first);
}

/// False if there is no pair, or its rows do not lie evenly spaced.
bool WeightMatrix::view_pair() {
    const auto pair = source_->stored_pair(key_);
    if (!pair) return false;
    const auto spacing = even_spacing(pair->row_places);
    if (!spacing) return false;
    const std::size_t blocks = view_.columns / kernels::kMxfp4Values;
    const std::size_t codes = blocks * kernels::kMxfp4CodeBytes;
    view_.dtype = DType::MXFP4;
    view_.bytes = pair->view.bytes.subspan(spacing->first * codes);
    view_.row_stride = spacing->step * codes;
    view_.scales = pair->scales.bytes.subspan(spacing->first * blocks);
    view_.scales_stride = spacing->step * blocks;
    return true;
}

std::uint64_t WeightMatrix::copy_bytes() const noexcept {
    if (!is_copy_) return 0;
    if (source_->stored(key_)) return view_.rows * row_bytes(view_.dtype, view_.columns);
    return view_.rows * view_.columns * sizeof(float);
}

void WeightMatrix::prepare() {
    if (!is_copy_ || is_ready()) return;
    if (const auto stored = source_->stored(key_)) {
        copy_rows(*stored);
    } else {
        decode();
    }
    view_.bytes = copy_.span();
}

void WeightMatrix::release() noexcept {
    if (!is_copy_) return;
    view_.bytes = {};
    copy_ = {};
}

void WeightMatrix::copy_rows(const StoredTensor& stored) {
    const std::size_t row = row_bytes(view_.dtype, view_.columns);
    copy_ = Buffer<std::byte>(view_.rows * row);
    view_.row_stride = row;
    for (std::size_t r = 0; r < view_.rows; ++r) {
        const auto place = static_cast<std::size_t>(stored.row_places.at(r));
        const auto from = stored.view.bytes.subspan(place * row, row);
        std::copy(from.begin(), from.end(), copy_.data() + r * row);
    }
}

void WeightMatrix::decode() {
    Buffer<float> values(view_.rows * view_.columns);
    source_->decode(key_, values.span());
    view_.dtype = fits_bfloat16(values.span()) ? DType::BF16 : DType::F32;
    view_.row_stride = row_bytes(view_.dtype, view_.columns);
    copy_ = Buffer<std::byte>(view_.rows * view_.row_stride);
    kernels::encode_float(view_.dtype, values.span(), copy_.span());
}

}  // namespace espalier
