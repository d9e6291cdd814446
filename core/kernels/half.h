#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace espalier::kernels {

/// IEEE half to float, exact, in a handful of integer operations and no branch, so that loops over
/// it become vector code on every machine (F16C is not in the x86-64 baseline). A NaN keeps its
/// payload.
inline float half_to_float(std::uint16_t half) noexcept {
    constexpr std::uint32_t kExponentMask = 0x7C00U << 13;
    constexpr std::uint32_t kRebias = (127U - 15U) << 23;
    const std::uint32_t sign = (half & 0x8000U) << 16;
    const std::uint32_t magnitude = (half & 0x7FFFU) << 13;
    const std::uint32_t exponent = magnitude & kExponentMask;
    // Infinities and NaNs need the rebias twice to reach the all-ones exponent.
    const std::uint32_t normal = magnitude + kRebias + (exponent == kExponentMask ? kRebias : 0U);
    // A subnormal half is its mantissa beside the implicit one of 2^-14, less that one.
    constexpr std::uint32_t kSmallestNormal = kRebias + (1U << 23);
    const float small =
        std::bit_cast<float>(magnitude + kSmallestNormal) - std::bit_cast<float>(kSmallestNormal);
    const std::uint32_t bits = exponent == 0 ? std::bit_cast<std::uint32_t>(small) : normal;
    return std::bit_cast<float>(bits | sign);
}

/// Float to IEEE half, nearest even; overflow becomes infinity, a NaN the quiet one of its sign.
inline std::uint16_t float_to_half(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000U;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    constexpr std::uint32_t kInfinity = 0x7F800000U;
    constexpr std::uint32_t kOverflow = 0x477FF000U;  // 65520, the first that rounds up to 2^16
    constexpr std::uint32_t kSmallestNormal = 0x38800000U;  // 2^-14
    std::uint32_t half = 0;
    if (magnitude >= kOverflow) {
        half = magnitude > kInfinity ? 0x7E00U : 0x7C00U;
    } else if (magnitude < kSmallestNormal) {
        // Beside 0.5 a float's last place is 2^-24, the step of subnormal halves: the addition
        // rounds.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
        half = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5F);
    } else {
        half = (magnitude - ((127U - 15U) << 23) + 0xFFFU + ((magnitude >> 13) & 1U)) >> 13;
    }
    return static_cast<std::uint16_t>(sign | half);
}

/// A little-endian number at `bytes`, which need not be aligned.
template <typename T>
inline T load(const std::byte* bytes) noexcept {
    static_assert(std::endian::native == std::endian::little, "blocks are stored little endian");
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
}

/// The half at `bytes`, as float.
inline float load_half(const std::byte* bytes) noexcept {
    return half_to_float(load<std::uint16_t>(bytes));
}

}  // namespace espalier::kernels
