#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "quant/block_encoders.h"

namespace espalier {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBlockBytes = 17;

/// Twice the values of E2M1, by code.
constexpr std::array<float, 16> kValues{0.0F,  1.0F,  2.0F,  3.0F,  4.0F,  6.0F,  8.0F,  12.0F,
                                        -0.0F, -1.0F, -2.0F, -3.0F, -4.0F, -6.0F, -8.0F, -12.0F};

/// The largest magnitude gets the largest power of two of E2M1, 4; none does for zeros.
std::uint8_t exponent_of(std::span<const float> values) {
    float largest = 0.0F;
    for (const float value : values) largest = std::max(largest, std::abs(value));
    if (largest == 0.0F) return 0;
    int exponent = 0;
    std::frexp(largest, &exponent);
    constexpr int kBias = 127;
    constexpr int kLargestPower = 2;
    return static_cast<std::uint8_t>(std::clamp(exponent - 1 - kLargestPower + kBias, 0, 254));
}

/// The nearest value; the first of equals.
unsigned nearest_code(float value, float unit) {
    unsigned best = 0;
    float least = std::abs(value);
    for (unsigned code = 1; code < kValues.size(); ++code) {
        const float distance = std::abs(kValues[code] * unit - value);
        if (distance < least) {
            least = distance;
            best = code;
        }
    }
    return best;
}

}  // namespace

void encode_mxfp4(std::span<const float> values, std::span<const float> /*importance*/,
                  std::span<std::byte> out) {
    for (std::size_t block = 0; block < values.size() / kBlock; ++block) {
        const auto from = values.subspan(block * kBlock, kBlock);
        const auto to = out.subspan(block * kBlockBytes, kBlockBytes);
        const std::uint8_t exponent = exponent_of(from);
        const float unit = std::ldexp(1.0F, exponent - 128);
        to[0] = static_cast<std::byte>(exponent);
        for (std::size_t i = 0; i < kBlock / 2; ++i) {
            const unsigned low = nearest_code(from[i], unit);
            const unsigned high = nearest_code(from[i + kBlock / 2], unit);
            to[i + 1] = static_cast<std::byte>(low | high << 4U);
        }
    }
}

}  // namespace espalier
