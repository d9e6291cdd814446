#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace espalier::kernels {

inline constexpr std::size_t kMxfp4Values = 32;  ///< of one block
inline constexpr std::size_t kMxfp4CodeBytes = 16;

/// Twice the sixteen E2M1 values, so that they are whole; the scales below are halved in turn.
inline constexpr std::array<std::int8_t, 16> kDoubledE2M1{0, 1,  2,  3,  4,  6,  8,  12,
                                                          0, -1, -2, -3, -4, -6, -8, -12};

/// 2^(exponent - 128), subnormal for the two smallest. The code of NaN counts as a number, as ggml
/// has it.
inline float half_of_e8m0(std::byte code) noexcept {
    const auto exponent = std::to_integer<std::uint32_t>(code);
    const std::uint32_t bits = exponent < 2 ? 0x00200000U << exponent : (exponent - 1) << 23;
    return std::bit_cast<float>(bits);
}

/// The same with NaN for its code, as OCP has it.
inline float half_of_ocp_e8m0(std::byte code) noexcept {
    return code == std::byte{0xFF} ? std::numeric_limits<float>::quiet_NaN() : half_of_e8m0(code);
}

}  // namespace espalier::kernels
