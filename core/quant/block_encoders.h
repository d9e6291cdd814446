#pragma once

#include <cstddef>
#include <span>

namespace espalier {

/// Encoders of one type each: a row of whole blocks, finite values of magnitude up to about 1e9.
/// @param importance one weight a column, or empty
using BlockEncoder = void (*)(std::span<const float> values, std::span<const float> importance,
                              std::span<std::byte> out);

// Blocks of 32. Without importance the bytes are those of ggml's reference; with it, scale and
// offset are searched (Q8_0 is fine enough without).
void encode_q8_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q4_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q4_1(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q5_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q5_1(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
/// A power of two for each block, from its largest magnitude; nothing is searched.
void encode_mxfp4(std::span<const float> values, std::span<const float> importance,
                  std::span<std::byte> out);

// K-quants, always searched.
void encode_q2_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q3_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q4_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q5_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);
void encode_q6_k(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out);

}  // namespace espalier
