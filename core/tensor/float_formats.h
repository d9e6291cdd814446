#pragma once

#include <bit>
#include <cstdint>

namespace espalier {

/// bfloat16 is the upper half of a float.
inline float bf16_to_float(std::uint16_t bits) noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Nearest even; NaN stays NaN, with its quiet bit set.
inline std::uint16_t float_to_bf16(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

float f16_to_float(std::uint16_t bits) noexcept;
/// Nearest even; overflow becomes infinity.
std::uint16_t float_to_f16(float value) noexcept;

/// OCP 8-bit floats. E4M3 has no infinity (0x7F and 0xFF are NaN), E5M2 is IEEE-like.
float f8_e4m3_to_float(std::uint8_t bits) noexcept;
float f8_e5m2_to_float(std::uint8_t bits) noexcept;
/// A power of two, 2^(bits - 127); 255 is NaN.
float f8_e8m0_to_float(std::uint8_t bits) noexcept;
/// Nearest even, saturating to the largest finite value (448 and 57344), as PyTorch's
/// saturating casts and quantised checkpoints do.
std::uint8_t float_to_f8_e4m3(float value) noexcept;
std::uint8_t float_to_f8_e5m2(float value) noexcept;

}  // namespace espalier
