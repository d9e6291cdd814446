#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/block_decoders.h"
#include "kernels/half.h"
#include "tensor/float_formats.h"

namespace espalier::kernels {
namespace {

/// Loops of a known length become vector code; the tail is done one by one.
constexpr std::size_t kStride = 16;

template <typename Stored, typename Convert>
void convert_all(std::span<const std::byte> bytes, std::span<float> out, Convert convert) {
    const std::byte* in = bytes.data();
    std::size_t i = 0;
    for (; i + kStride <= out.size(); i += kStride) {
        std::array<Stored, kStride> piece;
        std::memcpy(piece.data(), in + i * sizeof(Stored), sizeof(piece));
        float* to = out.data() + i;
        for (std::size_t k = 0; k < kStride; ++k) to[k] = convert(piece[k]);
    }
    for (; i < out.size(); ++i) out[i] = convert(load<Stored>(in + i * sizeof(Stored)));
}

/// All 256 values of an 8-bit format.
template <typename Convert>
std::array<float, 256> table_of(Convert convert) {
    std::array<float, 256> table{};
    for (std::size_t code = 0; code < table.size(); ++code) {
        table[code] = convert(static_cast<std::uint8_t>(code));
    }
    return table;
}

void look_up(const std::array<float, 256>& table, std::span<const std::byte> bytes,
             std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = table[std::to_integer<std::size_t>(bytes[i])];
    }
}

}  // namespace

void decode_f32(std::span<const std::byte> bytes, std::span<float> out) {
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size_bytes());
}

void decode_f64(std::span<const std::byte> bytes, std::span<float> out) {
    convert_all<double>(bytes, out, [](double value) { return static_cast<float>(value); });
}

void decode_f16(std::span<const std::byte> bytes, std::span<float> out) {
    convert_all<std::uint16_t>(bytes, out, half_to_float);
}

void decode_bf16(std::span<const std::byte> bytes, std::span<float> out) {
    convert_all<std::uint16_t>(bytes, out, bf16_to_float);
}

void decode_f8_e4m3(std::span<const std::byte> bytes, std::span<float> out) {
    static const auto table = table_of(f8_e4m3_to_float);
    look_up(table, bytes, out);
}

void decode_f8_e5m2(std::span<const std::byte> bytes, std::span<float> out) {
    static const auto table = table_of(f8_e5m2_to_float);
    look_up(table, bytes, out);
}

void decode_f8_e8m0(std::span<const std::byte> bytes, std::span<float> out) {
    static const auto table = table_of(f8_e8m0_to_float);
    look_up(table, bytes, out);
}

}  // namespace espalier::kernels
