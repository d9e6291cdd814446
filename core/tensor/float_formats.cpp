#include "tensor/float_formats.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace espalier {
namespace {

/// A small IEEE-like format: sign, `ExponentBits`, `MantissaBits`, usual bias, subnormals.
template <int ExponentBits, int MantissaBits>
float decode_small_float(std::uint32_t bits) noexcept {
    constexpr int kBias = (1 << (ExponentBits - 1)) - 1;
    const std::uint32_t mantissa = bits & ((1U << MantissaBits) - 1);
    const auto exponent = static_cast<int>((bits >> MantissaBits) & ((1U << ExponentBits) - 1));
    const float sign = (bits >> (ExponentBits + MantissaBits)) & 1U ? -1.0F : 1.0F;
    const float fraction = std::ldexp(static_cast<float>(mantissa), -MantissaBits);
    if (exponent == 0) return sign * std::ldexp(fraction, 1 - kBias);
    return sign * std::ldexp(1.0F + fraction, exponent - kBias);
}

/// Nearest even of |value| on the grid of the format, as its bits without sign; may run past the
/// largest finite code, which the caller maps to infinity or saturates.
template <int ExponentBits, int MantissaBits>
std::uint32_t encode_magnitude(float magnitude) noexcept {
    constexpr int kBias = (1 << (ExponentBits - 1)) - 1;
    if (magnitude == 0.0F) return 0;
    int exponent = 0;
    std::frexp(magnitude, &exponent);
    const int normal = std::max(exponent - 1, 1 - kBias);  // subnormals share the lowest exponent
    const auto steps = static_cast<std::uint32_t>(
        std::nearbyint(std::ldexp(static_cast<double>(magnitude), MantissaBits - normal)));
    // A carry out of the mantissa moves into the exponent by itself.
    const auto biased = static_cast<std::uint32_t>(normal + kBias - 1);
    return (biased << MantissaBits) + steps;
}

}  // namespace

float f16_to_float(std::uint16_t bits) noexcept {
    if ((bits & 0x7C00U) == 0x7C00U) {
        const float infinity = std::numeric_limits<float>::infinity();
        if (bits & 0x3FFU) return std::numeric_limits<float>::quiet_NaN();
        return bits & 0x8000U ? -infinity : infinity;
    }
    return decode_small_float<5, 10>(bits);
}

std::uint16_t float_to_f16(float value) noexcept {
    const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0;
    if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00U);
    if (std::fabs(value) >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00U);
    return static_cast<std::uint16_t>(sign | encode_magnitude<5, 10>(std::fabs(value)));
}

float f8_e4m3_to_float(std::uint8_t bits) noexcept {
    if ((bits & 0x7FU) == 0x7FU) return std::numeric_limits<float>::quiet_NaN();
    return decode_small_float<4, 3>(bits);
}

float f8_e5m2_to_float(std::uint8_t bits) noexcept {
    return f16_to_float(static_cast<std::uint16_t>(bits << 8));
}

float f8_e8m0_to_float(std::uint8_t bits) noexcept {
    if (bits == 255) return std::numeric_limits<float>::quiet_NaN();
    return std::ldexp(1.0F, static_cast<int>(bits) - 127);
}

std::uint8_t float_to_f8_e4m3(float value) noexcept {
    const std::uint32_t sign = std::signbit(value) ? 0x80U : 0;
    if (std::isnan(value)) return static_cast<std::uint8_t>(sign | 0x7FU);
    const std::uint32_t code =
        std::fabs(value) >= 448.0F ? 0x7EU : encode_magnitude<4, 3>(std::fabs(value));
    return static_cast<std::uint8_t>(sign | std::min(code, 0x7EU));
}

std::uint8_t float_to_f8_e5m2(float value) noexcept {
    const std::uint32_t sign = std::signbit(value) ? 0x80U : 0;
    if (std::isnan(value)) return static_cast<std::uint8_t>(sign | 0x7FU);
    const std::uint32_t code =
        std::fabs(value) >= 57344.0F ? 0x7BU : encode_magnitude<5, 2>(std::fabs(value));
    return static_cast<std::uint8_t>(sign | std::min(code, 0x7BU));
}

}  // namespace espalier
