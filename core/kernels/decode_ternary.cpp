#include <cstdint>

#include "kernels/block_decoders.h"
#include "kernels/half.h"

namespace espalier::kernels {
namespace {

/// Trit `n` of a byte that holds five, the first in the most significant place: the byte is the
/// fraction 0.t0t1t2t3t4 in base 3, scaled to 256.
float trit(std::byte packed, std::uint32_t power_of_three) noexcept {
    const std::uint32_t fraction = (std::to_integer<std::uint32_t>(packed) * power_of_three) & 255U;
    return static_cast<float>(static_cast<int>((fraction * 3) >> 8) - 1);
}

}  // namespace

void decode_q1_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<18, 128>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t i = 0; i < 128; ++i) {
            const unsigned bit = (std::to_integer<unsigned>(block[2 + i / 8]) >> (i % 8)) & 1U;
            values[i] = bit != 0 ? scale : -scale;
        }
    });
}

void decode_q2_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<18, 64>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block);
        for (std::size_t i = 0; i < 64; ++i) {
            const int code = (std::to_integer<int>(block[2 + i / 4]) >> (2 * (i % 4))) & 3;
            values[i] = scale * static_cast<float>(code - 1);
        }
    });
}

void decode_tq2_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<66, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block + 64);
        for (std::size_t group = 0; group < 8; ++group) {
            const std::byte* codes = block + 32 * (group / 4);
            for (std::size_t i = 0; i < 32; ++i) {
                const int code = (std::to_integer<int>(codes[i]) >> (2 * (group % 4))) & 3;
                values[32 * group + i] = scale * static_cast<float>(code - 1);
            }
        }
    });
}

void decode_tq1_0(std::span<const std::byte> bytes, std::span<float> out) {
    for_each_block<54, 256>(bytes, out, [](const std::byte* block, float* values) {
        const float scale = load_half(block + 52);
        const auto unpack = [&](std::size_t first, std::size_t count, std::uint32_t trits) {
            std::uint32_t power = 1;
            for (std::uint32_t n = 0; n < trits; ++n, power *= 3) {
                for (std::size_t i = 0; i < count; ++i) {
                    *values++ = scale * trit(block[first + i], power);
                }
            }
        };
        unpack(0, 32, 5);
        unpack(32, 16, 5);
        unpack(48, 4, 4);
    });
}

}  // namespace espalier::kernels
