#include "kernels/decode.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/block_decoders.h"
#include "kernels/half.h"
#include "tensor/float_formats.h"

namespace espalier::kernels {
namespace {

/// Null for types that have no float values.
BlockDecoder decoder_of(DType dtype) noexcept {
    switch (dtype) {
        case DType::F32:
            return decode_f32;
        case DType::F64:
            return decode_f64;
        case DType::F16:
            return decode_f16;
        case DType::BF16:
            return decode_bf16;
        case DType::F8E4M3:
            return decode_f8_e4m3;
        case DType::F8E5M2:
            return decode_f8_e5m2;
        case DType::F8E8M0:
            return decode_f8_e8m0;
        case DType::Q4_0:
            return decode_q4_0;
        case DType::Q4_1:
            return decode_q4_1;
        case DType::Q5_0:
            return decode_q5_0;
        case DType::Q5_1:
            return decode_q5_1;
        case DType::Q8_0:
            return decode_q8_0;
        case DType::Q2_K:
            return decode_q2_k;
        case DType::Q3_K:
            return decode_q3_k;
        case DType::Q4_K:
            return decode_q4_k;
        case DType::Q5_K:
            return decode_q5_k;
        case DType::Q6_K:
            return decode_q6_k;
        case DType::IQ4_NL:
            return decode_iq4_nl;
        case DType::IQ4_XS:
            return decode_iq4_xs;
        case DType::IQ3_S:
            return decode_iq3_s;
        case DType::IQ3_XXS:
            return decode_iq3_xxs;
        case DType::IQ2_S:
            return decode_iq2_s;
        case DType::IQ2_XS:
            return decode_iq2_xs;
        case DType::IQ2_XXS:
            return decode_iq2_xxs;
        case DType::IQ1_S:
            return decode_iq1_s;
        case DType::IQ1_M:
            return decode_iq1_m;
        case DType::MXFP4:
            return decode_mxfp4;
        case DType::NVFP4:
            return decode_nvfp4;
        case DType::Q1_0:
            return decode_q1_0;
        case DType::Q2_0:
            return decode_q2_0;
        case DType::TQ1_0:
            return decode_tq1_0;
        case DType::TQ2_0:
            return decode_tq2_0;
        default:
            return nullptr;
    }
}

}  // namespace

bool can_decode(DType dtype) noexcept { return decoder_of(dtype) != nullptr; }

void decode(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
    decoder_of(dtype)(bytes, out);
}

void decode_to_bf16(DType dtype, std::span<const std::byte> bytes, std::span<std::uint16_t> out) {
    if (out.empty()) return;
    if (dtype == DType::BF16) {
        std::memcpy(out.data(), bytes.data(), out.size_bytes());
        return;
    }
    constexpr std::size_t kPiece = 2048;  // a multiple of every block size
    std::array<float, kPiece> piece;
    const DTypeInfo& type = info(dtype);
    for (std::size_t begin = 0; begin < out.size(); begin += kPiece) {
        const std::size_t count = std::min(kPiece, out.size() - begin);
        const std::size_t first_byte = begin / type.block_size * type.block_bytes;
        const std::size_t num_bytes = count / type.block_size * type.block_bytes;
        decode(dtype, bytes.subspan(first_byte, num_bytes), std::span(piece).first(count));
        for (std::size_t i = 0; i < count; ++i) out[begin + i] = float_to_bf16(piece[i]);
    }
}

void encode_float(DType dtype, std::span<const float> values, std::span<std::byte> out) {
    if (values.empty()) return;
    if (dtype == DType::F32) {
        std::memcpy(out.data(), values.data(), values.size_bytes());
        return;
    }
    const bool is_half = dtype == DType::F16;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits = is_half ? float_to_half(values[i]) : float_to_bf16(values[i]);
        std::memcpy(out.data() + 2 * i, &bits, sizeof(bits));
    }
}

}  // namespace espalier::kernels
