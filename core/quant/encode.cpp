#include "quant/encode.h"

#include <algorithm>
#include <array>

#include "kernels/decode.h"
#include "quant/block_encoders.h"

namespace espalier {
namespace {

/// Null for types that are not block types or cannot be encoded.
BlockEncoder encoder_of(DType dtype) noexcept {
    switch (dtype) {
        case DType::Q8_0:
            return encode_q8_0;
        case DType::Q4_0:
            return encode_q4_0;
        case DType::Q4_1:
            return encode_q4_1;
        case DType::Q5_0:
            return encode_q5_0;
        case DType::Q5_1:
            return encode_q5_1;
        case DType::MXFP4:
            return encode_mxfp4;
        case DType::Q2_K:
            return encode_q2_k;
        case DType::Q3_K:
            return encode_q3_k;
        case DType::Q4_K:
            return encode_q4_k;
        case DType::Q5_K:
            return encode_q5_k;
        case DType::Q6_K:
            return encode_q6_k;
        default:
            return nullptr;
    }
}

/// Halves end there, and with them scales and F16 itself; larger values saturate.
constexpr float kLargestValue = 65504.0F;
constexpr std::size_t kPiece = 2048;  // a multiple of every block size

/// Calls body(first, values) for pieces of the row with values inside the range of a half.
template <typename Body>
void for_each_clamped_piece(std::span<const float> values, Body&& body) {
    std::array<float, kPiece> piece;
    for (std::size_t first = 0; first < values.size(); first += kPiece) {
        const auto part = values.subspan(first, std::min(kPiece, values.size() - first));
        std::transform(part.begin(), part.end(), piece.begin(), [](float value) {
            return std::clamp(value, -kLargestValue, kLargestValue);
        });
        body(first, std::span<const float>(piece).first(part.size()));
    }
}

}  // namespace

bool can_encode(DType dtype) noexcept {
    return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16 ||
           encoder_of(dtype) != nullptr;
}

void encode_row(DType dtype, std::span<const float> values, std::span<const float> importance,
                std::span<std::byte> out) {
    if (dtype == DType::F32 || dtype == DType::BF16) {
        kernels::encode_float(dtype, values, out);
        return;
    }
    const DTypeInfo& type = info(dtype);
    for_each_clamped_piece(values, [&](std::size_t first, std::span<const float> piece) {
        const auto to = out.subspan(first / type.block_size * type.block_bytes,
                                    piece.size() / type.block_size * type.block_bytes);
        if (dtype == DType::F16) {
            kernels::encode_float(dtype, piece, to);
        } else {
            encoder_of(dtype)(
                piece, importance.empty() ? importance : importance.subspan(first, piece.size()),
                to);
        }
    });
}

}  // namespace espalier
