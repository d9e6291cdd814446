#include <cstdint>

#include "kernels/block_decoders.h"
#include "kernels/half.h"

// Blocks of 32: the first 16 elements lie in the low nibbles of the codes, the last 16 in the high
// ones.
namespace espalier::kernels {
namespace {

std::uint32_t byte_at(const std::byte* bytes, std::size_t i) noexcept {
    return std::to_integer<std::uint32_t>(bytes[i]);
}

/// Fifth bit of element i, in its place.
int fifth_bit(std::uint32_t high_bits, std::size_t i) noexcept {
    return static_cast<int>((high_bits >> i) & 1U) << 4;
}

}  // namespace

void decode_q8_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<34, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t i = 0; i < 32; ++i) {
            values[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * scale;
        }
    });
}

void decode_q4_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<18, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t i = 0; i < 16; ++i) {
            const auto pair = static_cast<int>(byte_at(block, 2 + i));
            values[i] = scale * static_cast<float>((pair & 15) - 8);
            values[i + 16] = scale * static_cast<float>((pair >> 4) - 8);
        }
    });
}

void decode_q4_1(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<20, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const float offset = load_half(block + 2);
        for (std::size_t i = 0; i < 16; ++i) {
            const auto pair = static_cast<int>(byte_at(block, 4 + i));
            values[i] = scale * static_cast<float>(pair & 15) + offset;
            values[i + 16] = scale * static_cast<float>(pair >> 4) + offset;
        }
    });
}

void decode_q5_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<22, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const auto high = load<std::uint32_t>(block + 2);
        for (std::size_t i = 0; i < 16; ++i) {
            const auto pair = static_cast<int>(byte_at(block, 6 + i));
            values[i] = scale * static_cast<float>(((pair & 15) | fifth_bit(high, i)) - 16);
            values[i + 16] =
                scale * static_cast<float>(((pair >> 4) | fifth_bit(high, i + 16)) - 16);
        }
    });
}

void decode_q5_1(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<24, 32>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        const float offset = load_half(block + 2);
        const auto high = load<std::uint32_t>(block + 4);
        for (std::size_t i = 0; i < 16; ++i) {
            const auto pair = static_cast<int>(byte_at(block, 8 + i));
            values[i] = scale * static_cast<float>((pair & 15) | fifth_bit(high, i)) + offset;
            values[i + 16] =
                scale * static_cast<float>((pair >> 4) | fifth_bit(high, i + 16)) + offset;
        }
    });
}

}  // namespace espalier::kernels
