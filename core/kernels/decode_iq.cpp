#include <bit>
#include <cstdint>

#include "kernels/block_decoders.h"
#include "kernels/half.h"
#include "kernels/iq_grids.h"

// Super-blocks of 256 whose groups of 4 or 8 elements are points of a lattice, with signs apart.
namespace espalier::kernels {
namespace {

std::uint32_t byte_at(const std::byte* bytes, std::size_t i) noexcept {
    return std::to_integer<std::uint32_t>(bytes[i]);
}

/// The eighth sign makes the number of minuses even.
std::uint32_t complete_signs(std::uint32_t seven_bits) noexcept {
    return seven_bits | (static_cast<std::uint32_t>(std::popcount(seven_bits)) & 1U) << 7;
}

template <typename Point>
void write_point(const Point& point, std::uint32_t signs, float factor, float* values) noexcept {
    for (std::size_t i = 0; i < point.size(); ++i) {
        const float sign = (signs >> i) & 1U ? -1.0F : 1.0F;
        values[i] = factor * static_cast<float>(point[i]) * sign;
    }
}

void write_iq1(const std::array<std::int8_t, 8>& point, float factor, bool is_delta_negative,
               float* values) noexcept {
    const float delta = is_delta_negative ? -0.125F : 0.125F;
    for (std::size_t i = 0; i < 8; ++i) values[i] = factor * (static_cast<float>(point[i]) + delta);
}

void write_iq4(const std::byte* codes, float factor, float* values) noexcept {
    for (std::size_t i = 0; i < 16; ++i) {
        const std::uint32_t pair = byte_at(codes, i);
        values[i] = factor * static_cast<float>(kIq4Values[pair & 15U]);
        values[i + 16] = factor * static_cast<float>(kIq4Values[pair >> 4]);
    }
}

float nibble_scale(const std::byte* scales, std::size_t j) noexcept {
    return static_cast<float>((byte_at(scales, j / 2) >> (4 * (j % 2))) & 15U);
}

}  // namespace

void decode_iq4_nl(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<18, 32>(bytes, out, [](const std::byte* block, float* values) {
        write_iq4(block + 2, load_half(block), values);
    });
}

void decode_iq4_xs(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<136, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const auto scales_high = load<std::uint16_t>(block + 2);
        for (std::size_t j = 0; j < 8; ++j) {
            const std::uint32_t low = (byte_at(block, 4 + j / 2) >> (4 * (j % 2))) & 15U;
            const std::uint32_t high = (static_cast<std::uint32_t>(scales_high) >> (2 * j)) & 3U;
            const int sub_scale = static_cast<int>(low | (high << 4)) - 32;
            write_iq4(block + 8 + 16 * j, scale * static_cast<float>(sub_scale), values + 32 * j);
        }
    });
}

void decode_iq3_xxs(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<98, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t j = 0; j < 8; ++j) {
            const auto word = load<std::uint32_t>(block + 66 + 4 * j);
            const float factor = scale * (0.5F + static_cast<float>(word >> 28)) * 0.5F;
            for (std::size_t g = 0; g < 8; ++g) {
                const std::uint32_t signs = complete_signs((word >> (7 * (g / 2))) & 127U);
                write_point(kIq3XxsGrid[byte_at(block, 2 + 8 * j + g)], signs >> (4 * (g % 2)),
                            factor, values + 32 * j + 4 * g);
            }
        }
    });
}

void decode_iq3_s(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<110, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t g = 0; g < 64; ++g) {
            const std::uint32_t high = (byte_at(block, 66 + g / 8) >> (g % 8)) & 1U;
            const std::uint32_t signs = byte_at(block, 74 + g / 2) >> (4 * (g % 2));
            const float factor = scale * (1.0F + 2.0F * nibble_scale(block + 106, g / 8));
            write_point(kIq3SGrid[byte_at(block, 2 + g) | (high << 8)], signs, factor,
                        values + 4 * g);
        }
    });
}

void decode_iq2_xxs(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<66, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t j = 0; j < 8; ++j) {
            const std::byte* part = block + 2 + 8 * j;
            const auto word = load<std::uint32_t>(part + 4);
            const float factor = scale * (0.5F + static_cast<float>(word >> 28)) * 0.25F;
            for (std::size_t g = 0; g < 4; ++g) {
                write_point(kIq2XxsGrid[byte_at(part, g)], complete_signs((word >> (7 * g)) & 127U),
                            factor, values + 32 * j + 8 * g);
            }
        }
    });
}

void decode_iq2_xs(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<74, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t g = 0; g < 32; ++g) {
            const std::uint32_t word = load<std::uint16_t>(block + 2 + 2 * g);
            const float factor = scale * (0.5F + nibble_scale(block + 66, g / 2)) * 0.25F;
            write_point(kIq2XsGrid[word & 511U], complete_signs(word >> 9), factor, values + 8 * g);
        }
    });
}

void decode_iq2_s(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<82, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t g = 0; g < 32; ++g) {
            const std::uint32_t high = (byte_at(block, 66 + g / 4) >> (2 * (g % 4))) & 3U;
            const float factor = scale * (0.5F + nibble_scale(block + 74, g / 2)) * 0.25F;
            write_point(kIq2SGrid[byte_at(block, 2 + g) | (high << 8)], byte_at(block, 34 + g),
                        factor, values + 8 * g);
        }
    });
}

void decode_iq1_s(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<50, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t g = 0; g < 32; ++g) {
            const std::uint32_t word = load<std::uint16_t>(block + 34 + 2 * (g / 4));
            const std::uint32_t high = (word >> (3 * (g % 4))) & 7U;
            const float factor = scale * static_cast<float>(2 * ((word >> 12) & 7U) + 1);
            write_iq1(kIq1SGrid[byte_at(block, 2 + g) | (high << 8)], factor, (word & 0x8000U) != 0,
                      values + 8 * g);
        }
    });
}

void decode_iq1_m(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<56, 256>(bytes, out, [](const std::byte* block, float* values) {
        std::uint32_t scale_bits = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const std::uint32_t word = load<std::uint16_t>(block + 48 + 2 * k);
            scale_bits |= (word >> 12) << (4 * k);
        }
        const float scale = half_to_float(static_cast<std::uint16_t>(scale_bits));
        for (std::size_t g = 0; g < 32; ++g) {
            const std::uint32_t word = load<std::uint16_t>(block + 48 + 2 * (g / 8));
            const std::uint32_t sub_scale = (word >> (3 * (g / 2 % 4))) & 7U;
            const std::uint32_t bits = (byte_at(block, 32 + g / 2) >> (4 * (g % 2))) & 15U;
            const float factor = scale * static_cast<float>(2 * sub_scale + 1);
            write_iq1(kIq1SGrid[byte_at(block, g) | ((bits & 7U) << 8)], factor, (bits & 8U) != 0,
                      values + 8 * g);
        }
    });
}

}  // namespace espalier::kernels
