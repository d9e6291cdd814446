#include <array>
#include <cstdint>

#include "quant/affine_super_block.h"
#include "quant/block_encoders.h"
#include "quant/block_weights.h"
#include "quant/symmetric_super_block.h"

// Layouts of the K-quants; kernels/decode_k.cpp reads them.
namespace espalier {
namespace {

using Codes = std::array<std::uint8_t, kSuperBlock>;

std::byte byte_of(unsigned value) { return static_cast<std::byte>(value & 255U); }

template <std::size_t BlockBytes, typename EncodeBlock>
void for_each_super_block(std::span<const float> values, std::span<const float> importance,
                          std::span<std::byte> out, EncodeBlock&& encode_block) {
    std::array<float, kSuperBlock> weights;
    for (std::size_t b = 0; b < values.size() / kSuperBlock; ++b) {
        const SuperBlockSpan x(values.subspan(b * kSuperBlock, kSuperBlock));
        block_weights(
            x, importance.empty() ? importance : importance.subspan(b * kSuperBlock, kSuperBlock),
            weights);
        const auto to = out.subspan(b * BlockBytes, BlockBytes);
        std::fill(to.begin(), to.end(), std::byte{0});
        encode_block(x, SuperBlockSpan(weights), to.data());
    }
}

/// Six-bit scales and mins of eight sub-blocks in 12 bytes: the inverse of
/// kernels::unpack_scales().
template <typename Block>
void pack_scales(const Block& block, std::byte* to) {
    for (std::size_t j = 0; j < 4; ++j) {
        const unsigned low_scale = block.scale(j);
        const unsigned low_min = block.min(j);
        const unsigned high_scale = block.scale(j + 4);
        const unsigned high_min = block.min(j + 4);
        to[j] = byte_of(low_scale | (high_scale >> 4) << 6);
        to[j + 4] = byte_of(low_min | (high_min >> 4) << 6);
        to[j + 8] = byte_of((high_scale & 15U) | (high_min & 15U) << 4);
    }
}

/// Two-bit codes: byte 32 * half + i holds elements i, i + 32, i + 64, i + 96 of its half.
void pack_two_bits(const Codes& codes, std::byte* to) {
    for (std::size_t i = 0; i < kSuperBlock; ++i) {
        const unsigned bits = (codes[i] & 3U) << (2 * (i % 128 / 32));
        to[32 * (i / 128) + i % 32] |= byte_of(bits);
    }
}

/// Four-bit codes: byte 32 * pair + i holds element i of two neighbouring groups of 32.
void pack_four_bits(const Codes& codes, std::byte* to) {
    for (std::size_t i = 0; i < kSuperBlock; ++i) {
        to[32 * (i / 64) + i % 32] |= byte_of((codes[i] & 15U) << (4 * (i / 32 % 2)));
    }
}

}  // namespace

void encode_q2_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_super_block<84>(values, importance, out,
                             [](SuperBlockSpan x, SuperBlockSpan w, std::byte* to) {
                                 const auto block = Q2KBlock::search(x, w);
                                 for (std::size_t j = 0; j < 16; ++j)
                                     to[j] = byte_of(block.scale(j) | block.min(j) << 4);
                                 pack_two_bits(block.codes(x), to + 16);
                                 store_half(block.d(), to + 80);
                                 store_half(block.dmin(), to + 82);
                             });
}

void encode_q3_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_super_block<110>(
        values, importance, out, [](SuperBlockSpan x, SuperBlockSpan w, std::byte* to) {
            const auto block = Q3KBlock::search(x, w);
            const Codes codes = block.codes(x);
            for (std::size_t i = 0; i < kSuperBlock; ++i) {
                to[i % 32] |= byte_of(static_cast<unsigned>(codes[i] >> 2) << (i / 32));
            }
            pack_two_bits(codes, to + 32);
            for (std::size_t j = 0; j < 16; ++j) {
                const auto scale = static_cast<unsigned>(block.scale(j) + 32);
                to[96 + j % 8] |= byte_of((scale & 15U) << (4 * (j / 8)));
                to[104 + j % 4] |= byte_of((scale >> 4) << (2 * (j / 4)));
            }
            store_half(block.d(), to + 108);
        });
}

void encode_q4_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_super_block<144>(values, importance, out,
                              [](SuperBlockSpan x, SuperBlockSpan w, std::byte* to) {
                                  const auto block = Q4KBlock::search(x, w);
                                  store_half(block.d(), to);
                                  store_half(block.dmin(), to + 2);
                                  pack_scales(block, to + 4);
                                  pack_four_bits(block.codes(x), to + 16);
                              });
}

void encode_q5_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_super_block<176>(
        values, importance, out, [](SuperBlockSpan x, SuperBlockSpan w, std::byte* to) {
            const auto block = Q5KBlock::search(x, w);
            const Codes codes = block.codes(x);
            store_half(block.d(), to);
            store_half(block.dmin(), to + 2);
            pack_scales(block, to + 4);
            for (std::size_t i = 0; i < kSuperBlock; ++i) {
                to[16 + i % 32] |= byte_of(static_cast<unsigned>(codes[i] >> 4) << (i / 32));
            }
            pack_four_bits(codes, to + 48);
        });
}

void encode_q6_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_super_block<210>(
        values, importance, out, [](SuperBlockSpan x, SuperBlockSpan w, std::byte* to) {
            const auto block = Q6KBlock::search(x, w);
            const Codes codes = block.codes(x);
            for (std::size_t i = 0; i < kSuperBlock; ++i) {
                const std::size_t group = i % 128 / 32;
                to[64 * (i / 128) + 32 * (group % 2) + i % 32] |=
                    byte_of((codes[i] & 15U) << (4 * (group / 2)));
                to[128 + 32 * (i / 128) + i % 32] |=
                    byte_of(static_cast<unsigned>(codes[i] >> 4) << (2 * group));
            }
            for (std::size_t j = 0; j < 16; ++j)
                to[192 + j] = static_cast<std::byte>(block.scale(j));
            store_half(block.d(), to + 208);
        });
}

}  // namespace espalier
