#include "model/place_tensor.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "formats/file_error.h"
#include "kernels/decode.h"
#include "model/stored_layout.h"

namespace espalier {
namespace {

/// The dimensions that say something: files differ in where they keep dimensions of 1.
Shape without_ones(const Shape& shape) {
    Shape result;
    std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
                 [](std::int64_t size) { return size != 1; });
    return result;
}

/// The shape that the file should have, of one expert.
Shape shape_in_file(const TensorRequest& request) {
    return stored_shape(request.row, request.shape, request.config);
}

Shape scales_shape(const TensorRequest& request) {
    Shape shape = shape_in_file(request);
    if (request.row.form == TensorForm::Mxfp4Pair) return {shape[0], shape[1]};
    for (auto& size : shape) size = (size + kScaledSquare - 1) / kScaledSquare;
    return shape;
}

void require_shape(const TensorRequest& request, const std::string& name, const Shape& found,
                   Shape expected) {
    if (request.is_stack()) {
        expected.insert(expected.begin(), request.config.num_weighted_of(request.key.layer));
    }
    if (without_ones(found) == without_ones(expected)) return;
    throw Error(
        ErrorCode::ArchTensor,
        fmt::format("{} has tensor {} of shape {}, its config asks for {}.",
                    request.path.filename().string(), in_quotes(name), shape_text(found),
                    shape_text(expected)),
        "Compare the model with its original; config and weights may be of different models.");
}

void require_type(const TensorRequest& request, const std::string& name, DType dtype,
                  bool is_readable) {
    if (is_readable) return;
    throw unsupported_file(request.path,
                           fmt::format("tensor {} is {}, which is no number format for weights",
                                       in_quotes(name), info(dtype).name));
}

/// One expert's part of a stack, under the given shape.
TensorView slice(const TensorRequest& request, const TensorView& found, Shape shape) {
    if (!request.is_stack()) return {found.dtype, std::move(shape), found.bytes};
    const auto [role, layer, expert] = request.key;
    const auto experts = static_cast<std::size_t>(request.config.num_weighted_of(layer));
    const auto place = static_cast<std::size_t>(request.config.place_among_weighted(layer, expert));
    const std::size_t bytes = found.bytes.size() / experts;
    return {found.dtype, std::move(shape), found.bytes.subspan(place * bytes, bytes)};
}

/// A half of plain rows is a matrix of its own.
void take_half(TensorPlace& place) {
    const bool is_first = place.rows == RowOrder::FirstHalf;
    if (!has_plain_rows(place) || (!is_first && place.rows != RowOrder::SecondHalf)) return;
    const std::size_t bytes = place.view.bytes.size() / 2;
    place.view.bytes = place.view.bytes.subspan(is_first ? 0 : bytes, bytes);
    place.view.shape = place.shape;
    place.rows = RowOrder::AsNamed;
}

}  // namespace

bool TensorRequest::is_stack() const noexcept {
    return key.expert >= 0 && row.pattern.find("{e}") == std::string_view::npos;
}

std::string TensorRequest::name() const {
    const std::string name = tensor_name(row.pattern, key);
    return row.form == TensorForm::Mxfp4Pair ? name + std::string(kBlocksSuffix) : name;
}

std::string TensorRequest::partner_name(DType dtype) const {
    const std::string name = tensor_name(row.pattern, key);
    if (row.form == TensorForm::Mxfp4Pair) return name + std::string(kScalesSuffix);
    return dtype == DType::F8E4M3 ? name + std::string(kScaleInvSuffix) : "";
}

TensorPlace place_tensor(const TensorRequest& request, const TensorView& found,
                         const TensorView* scales) {
    const bool is_mxfp4 = request.row.form == TensorForm::Mxfp4Pair;
    require_type(request, request.name(), found.dtype,
                 is_mxfp4 ? found.dtype == DType::U8 : kernels::can_decode(found.dtype));
    if (is_mxfp4 && request.shape.back() % kMxfp4Block != 0) {
        throw unsupported_file(
            request.path,
            fmt::format("tensor {} has rows of {} values, no multiple of {}",
                        in_quotes(request.name()), request.shape.back(), kMxfp4Block));
    }
    require_shape(request, request.name(), found.shape, shape_in_file(request));
    TensorPlace place{slice(request, found, shape_in_file(request)),
                      request.row.rows,
                      request.row.form,
                      {},
                      request.shape};
    if (scales != nullptr) {
        const std::string name = request.partner_name(found.dtype);
        require_type(request, name, scales->dtype,
                     is_mxfp4 ? scales->dtype == DType::U8 : kernels::can_decode(scales->dtype));
        require_shape(request, name, scales->shape, scales_shape(request));
        place.scales = slice(request, *scales, scales_shape(request));
    }
    take_half(place);
    return place;
}

}  // namespace espalier
