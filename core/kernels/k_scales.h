#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace espalier::kernels {

/// Six-bit scales and mins of the 8 sub-blocks of a Q4_K or Q5_K super-block.
struct ScalesAndMins {
    std::array<std::uint8_t, 8> scales;
    std::array<std::uint8_t, 8> mins;
};

/// Unpacks the 12 bytes: the first four pairs in the low six bits, the last four in nibbles and the
/// top bits of the first.
inline ScalesAndMins unpack_scales(const std::byte* packed) noexcept {
    const auto at = [packed](std::size_t i) { return std::to_integer<unsigned>(packed[i]); };
    ScalesAndMins result{};
    for (std::size_t j = 0; j < 4; ++j) {
        result.scales[j] = static_cast<std::uint8_t>(at(j) & 63U);
        result.mins[j] = static_cast<std::uint8_t>(at(j + 4) & 63U);
        result.scales[j + 4] = static_cast<std::uint8_t>((at(j + 8) & 15U) | ((at(j) >> 6) << 4));
        result.mins[j + 4] = static_cast<std::uint8_t>((at(j + 8) >> 4) | ((at(j + 4) >> 6) << 4));
    }
    return result;
}

}  // namespace espalier::kernels
