#include <bit>
#include <cstdint>

#include "kernels/block_decoders.h"
#include "kernels/decode.h"
#include "kernels/fp4.h"
#include "kernels/half.h"

namespace espalier::kernels {
namespace {

/// Half of an unsigned E4M3 number, whose NaN code counts as zero.
float half_of_ue4m3(std::uint32_t code) noexcept {
    if (code == 0 || code == 0x7F) return 0.0F;
    const std::uint32_t exponent = (code >> 3) & 15U;
    const auto mantissa = static_cast<float>(code & 7U);
    if (exponent == 0) return mantissa * 0x1p-10F;
    const float power = std::bit_cast<float>((exponent + 127U - 8U) << 23);
    return (1.0F + mantissa / 8.0F) * power;
}

/// The table's value, or OCP's negative zero, which ggml does not have.
float ocp_value(unsigned code) noexcept {
    return code == 8 ? -0.0F : static_cast<float>(kDoubledE2M1[code]);
}

float low_value(std::byte pair) noexcept {
    return static_cast<float>(kDoubledE2M1[std::to_integer<unsigned>(pair) & 15U]);
}
float high_value(std::byte pair) noexcept {
    return static_cast<float>(kDoubledE2M1[std::to_integer<unsigned>(pair) >> 4]);
}

}  // namespace

void decode_mxfp4(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<17, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = half_of_e8m0(block[0]);
        for (std::size_t i = 0; i < 16; ++i) {
            values[i] = scale * low_value(block[1 + i]);
            values[i + 16] = scale * high_value(block[1 + i]);
        }
    });
}

void decode_mxfp4_pair(std::span<const std::byte> codes, std::span<const std::byte> scales,
                       std::span<float> out) {
    for (std::size_t b = 0; b < scales.size(); ++b) {
        const float scale = half_of_ocp_e8m0(scales[b]);
        const std::byte* block = codes.data() + b * kMxfp4CodeBytes;
        float* values = out.data() + b * kMxfp4Values;
        for (std::size_t i = 0; i < kMxfp4CodeBytes; ++i) {
            const auto codes_of_two = std::to_integer<unsigned>(block[i]);
            values[2 * i] = scale * ocp_value(codes_of_two & 15U);
            values[2 * i + 1] = scale * ocp_value(codes_of_two >> 4U);
        }
    }
}

void decode_nvfp4(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<36, 64>(bytes, out, [](const std::byte* block, float* values) {
        for (std::size_t s = 0; s < 4; ++s) {
            const float scale = half_of_ue4m3(std::to_integer<std::uint32_t>(block[s]));
            const std::byte* codes = block + 4 + 8 * s;
            for (std::size_t i = 0; i < 8; ++i) {
                values[16 * s + i] = scale * low_value(codes[i]);
                values[16 * s + 8 + i] = scale * high_value(codes[i]);
            }
        }
    });
}

}  // namespace espalier::kernels
