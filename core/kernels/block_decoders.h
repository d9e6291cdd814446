#pragma once

#include <cstddef>
#include <span>

namespace espalier::kernels {

/// Decoders of one type each. `bytes` holds whole blocks and `out` exactly their elements. Every
/// value is computed in float32 in the order that ggml writes, hence bit for bit its values.
using BlockDecoder = void (*)(std::span<const std::byte> bytes, std::span<float> out);

// Scalars.
void decode_f32(std::span<const std::byte> bytes, std::span<float> out);
void decode_f64(std::span<const std::byte> bytes, std::span<float> out);
void decode_f16(std::span<const std::byte> bytes, std::span<float> out);
void decode_bf16(std::span<const std::byte> bytes, std::span<float> out);
void decode_f8_e4m3(std::span<const std::byte> bytes, std::span<float> out);
void decode_f8_e5m2(std::span<const std::byte> bytes, std::span<float> out);
void decode_f8_e8m0(std::span<const std::byte> bytes, std::span<float> out);

// Blocks of 32 with one scale, and one offset at most.
void decode_q4_0(std::span<const std::byte> bytes, std::span<float> out);
void decode_q4_1(std::span<const std::byte> bytes, std::span<float> out);
void decode_q5_0(std::span<const std::byte> bytes, std::span<float> out);
void decode_q5_1(std::span<const std::byte> bytes, std::span<float> out);
void decode_q8_0(std::span<const std::byte> bytes, std::span<float> out);

// K-quants: super-blocks of 256 with quantised scales.
void decode_q2_k(std::span<const std::byte> bytes, std::span<float> out);
void decode_q3_k(std::span<const std::byte> bytes, std::span<float> out);
void decode_q4_k(std::span<const std::byte> bytes, std::span<float> out);
void decode_q5_k(std::span<const std::byte> bytes, std::span<float> out);
void decode_q6_k(std::span<const std::byte> bytes, std::span<float> out);

// Codebooks of 16 values, and i-quants, which look up groups of 4 or 8 in a grid.
void decode_iq4_nl(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq4_xs(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq3_s(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq3_xxs(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq2_s(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq2_xs(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq2_xxs(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq1_s(std::span<const std::byte> bytes, std::span<float> out);
void decode_iq1_m(std::span<const std::byte> bytes, std::span<float> out);

// Four-bit floats.
void decode_mxfp4(std::span<const std::byte> bytes, std::span<float> out);
void decode_nvfp4(std::span<const std::byte> bytes, std::span<float> out);

// One and two bits, and ternary.
void decode_q1_0(std::span<const std::byte> bytes, std::span<float> out);
void decode_q2_0(std::span<const std::byte> bytes, std::span<float> out);
void decode_tq1_0(std::span<const std::byte> bytes, std::span<float> out);
void decode_tq2_0(std::span<const std::byte> bytes, std::span<float> out);

/// Calls decode_block(const std::byte* block, float* out) for each block.
template <std::size_t BlockBytes, std::size_t BlockSize, typename DecodeBlock>
inline void for_each_block(std::span<const std::byte> bytes, std::span<float> out,
                           DecodeBlock&& decode_block) {
    const std::size_t num_blocks = bytes.size() / BlockBytes;
    const std::byte* block = bytes.data();
    float* values = out.data();
    for (std::size_t b = 0; b < num_blocks; ++b) {
        decode_block(block, values);
        block += BlockBytes;
        values += BlockSize;
    }
}

}  // namespace espalier::kernels
