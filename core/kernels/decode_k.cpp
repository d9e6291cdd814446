#include <cstdint>

#include "kernels/block_decoders.h"
#include "kernels/half.h"
#include "kernels/k_scales.h"

// Super-blocks of 256 values. Codes of two halves of 128 lie side by side in the bits of a byte.
namespace espalier::kernels {
namespace {

int code_at(const std::byte* codes, std::size_t i, unsigned shift, int mask) noexcept {
    return (std::to_integer<int>(codes[i]) >> shift) & mask;
}

/// Six-bit signed scale j of the 16 of a Q3_K block.
int q3_k_scale(const std::byte* scales, std::size_t j) noexcept {
    const int low = code_at(scales, j % 8, j < 8 ? 0 : 4, 15);
    const int high = code_at(scales, 8 + j % 4, static_cast<unsigned>(2 * (j / 4)), 3);
    return (low | (high << 4)) - 32;
}

}  // namespace

void decode_q2_k(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<84, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block + 80);
        const float min_scale = load_half(block + 82);
        for (std::size_t j = 0; j < 16; ++j) {
            const int packed = code_at(block, j, 0, 255);
            const float step = scale * static_cast<float>(packed & 15);
            const float offset = min_scale * static_cast<float>(packed >> 4);
            const std::byte* codes = block + 16 + 32 * (j / 8) + 16 * (j % 2);
            const auto shift = static_cast<unsigned>(2 * (j % 8 / 2));
            for (std::size_t i = 0; i < 16; ++i) {
                values[16 * j + i] =
                    step * static_cast<float>(code_at(codes, i, shift, 3)) - offset;
            }
        }
    });
}

void decode_q3_k(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<110, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block + 108);
        for (std::size_t j = 0; j < 16; ++j) {
            const float step = scale * static_cast<float>(q3_k_scale(block + 96, j));
            const std::byte* high = block + 16 * (j % 2);
            const std::byte* codes = block + 32 + 32 * (j / 8) + 16 * (j % 2);
            const auto shift = static_cast<unsigned>(2 * (j % 8 / 2));
            const auto high_shift = static_cast<unsigned>(j / 2);
            for (std::size_t i = 0; i < 16; ++i) {
                const int code =
                    code_at(codes, i, shift, 3) - 4 + 4 * code_at(high, i, high_shift, 1);
                values[16 * j + i] = step * static_cast<float>(code);
            }
        }
    });
}

void decode_q4_k(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<144, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const float min_scale = load_half(block + 2);
        const ScalesAndMins parts = unpack_scales(block + 4);
        for (std::size_t j = 0; j < 8; ++j) {
            const float step = scale * static_cast<float>(parts.scales[j]);
            const float offset = min_scale * static_cast<float>(parts.mins[j]);
            const std::byte* codes = block + 16 + 32 * (j / 2);
            const unsigned shift = j % 2 == 0 ? 0 : 4;
            for (std::size_t i = 0; i < 32; ++i) {
                values[32 * j + i] =
                    step * static_cast<float>(code_at(codes, i, shift, 15)) - offset;
            }
        }
    });
}

void decode_q5_k(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<176, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const float min_scale = load_half(block + 2);
        const ScalesAndMins parts = unpack_scales(block + 4);
        const std::byte* high = block + 16;
        for (std::size_t j = 0; j < 8; ++j) {
            const float step = scale * static_cast<float>(parts.scales[j]);
            const float offset = min_scale * static_cast<float>(parts.mins[j]);
            const std::byte* codes = block + 48 + 32 * (j / 2);
            const unsigned shift = j % 2 == 0 ? 0 : 4;
            const auto high_shift = static_cast<unsigned>(j);
            for (std::size_t i = 0; i < 32; ++i) {
                const int code =
                    code_at(codes, i, shift, 15) | (code_at(high, i, high_shift, 1) << 4);
                values[32 * j + i] = step * static_cast<float>(code) - offset;
            }
        }
    });
}

void decode_q6_k(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<210, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block + 208);
        for (std::size_t j = 0; j < 16; ++j) {
            const float step = scale * static_cast<float>(static_cast<std::int8_t>(block[192 + j]));
            const std::size_t half = j / 8;
            const std::size_t group = j % 8 / 2;
            const std::byte* low = block + 64 * half + 32 * (group % 2) + 16 * (j % 2);
            const std::byte* high = block + 128 + 32 * half + 16 * (j % 2);
            const unsigned shift = group < 2 ? 0 : 4;
            const auto high_shift = static_cast<unsigned>(2 * group);
            for (std::size_t i = 0; i < 16; ++i) {
                const int code =
                    (code_at(low, i, shift, 15) | (code_at(high, i, high_shift, 3) << 4)) - 32;
                values[16 * j + i] = step * static_cast<float>(code);
            }
        }
    });
}

}  // namespace espalier::kernels
