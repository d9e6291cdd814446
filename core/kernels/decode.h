#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace espalier::kernels {

/// True if decode() can read `dtype`.
bool can_decode(DType dtype) noexcept;

/// Values of whole blocks as float32, bit for bit as ggml computes them.
/// @pre can_decode(dtype), bytes.size() and out.size() describe the same number of blocks
void decode(DType dtype, std::span<const std::byte> bytes, std::span<float> out);

/// MXFP4 as gpt-oss publishes it: byte j of a block's 16 holds its values 2j (low half) and 2j + 1,
/// and its scale is a byte elsewhere.
/// @pre scales.size() blocks of 32 values fill `out`, and of 16 bytes `codes`
void decode_mxfp4_pair(std::span<const std::byte> codes, std::span<const std::byte> scales,
                       std::span<float> out);

/// To bfloat16, nearest even; a plain copy for BF16.
void decode_to_bf16(DType dtype, std::span<const std::byte> bytes, std::span<std::uint16_t> out);

/// float32 to one of F32, F16, BF16 (nearest even).
void encode_float(DType dtype, std::span<const float> values, std::span<std::byte> out);

}  // namespace espalier::kernels
