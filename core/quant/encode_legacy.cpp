#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/fit_codes.h"
#include "quant/block_encoders.h"
#include "quant/block_weights.h"
#include "quant/half_scale.h"

// Blocks of 32 with one scale, and one offset at most.
namespace espalier {
namespace {

constexpr std::size_t kBlock = 32;
using Block = std::span<const float, kBlock>;
using Codes = std::array<std::uint8_t, kBlock>;

/// Nearest whole number, halves away from zero, as C's round(); |value| < 2^31.
float round_away(float value) noexcept {
    const auto whole = static_cast<float>(static_cast<std::int32_t>(value));
    const float rest = value - whole;
    return whole + (rest >= 0.5F ? 1.0F : 0.0F) - (rest <= -0.5F ? 1.0F : 0.0F);
}

/// Four low bits of element i and of i + 16 share a byte; fifth bits lie in a word of their own.
void store_codes(const Codes& codes, bool has_fifth_bit, std::byte* to) {
    if (has_fifth_bit) {
        std::uint32_t high = 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            high |= static_cast<std::uint32_t>(codes[i] >> 4) << i;
        }
        std::memcpy(to, &high, sizeof(high));
        to += sizeof(high);
    }
    for (std::size_t i = 0; i < kBlock / 2; ++i) {
        to[i] = static_cast<std::byte>((codes[i] & 15U) | (codes[i + 16] & 15U) << 4);
    }
}

/// What the block's scale and offset become, as stored.
struct Stored {
    float scale = 0;
    float offset = 0;  ///< added: value = scale * code + offset
};

/// ggml's reference: the element of largest magnitude gets the lowest code.
Codes nearest_symmetric(Block x, float half_range, Stored& stored) {
    const auto extreme = std::max_element(
        x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    stored.scale = *extreme / -half_range;
    const float inverse = kernels::inverse_of(stored.scale);
    Codes codes{};
    for (std::size_t i = 0; i < kBlock; ++i) {
        const auto code = static_cast<int>(x[i] * inverse + half_range + 0.5F);
        codes[i] =
            static_cast<std::uint8_t>(std::clamp(code, 0, static_cast<int>(2 * half_range) - 1));
    }
    return codes;
}

Codes nearest_affine(Block x, float max_code, Stored& stored) {
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    stored.scale = (*high - *low) / max_code;
    stored.offset = *low;
    const float inverse = kernels::inverse_of(stored.scale);
    Codes codes{};
    for (std::size_t i = 0; i < kBlock; ++i) {
        const auto code = static_cast<int>((x[i] - *low) * inverse + 0.5F);
        codes[i] = static_cast<std::uint8_t>(std::clamp(code, 0, static_cast<int>(max_code)));
    }
    return codes;
}

/// Best codes for a scale and offset, and their weighted error.
Codes best_codes(Block x, const Stored& stored, float lowest, float highest) {
    const float inverse = kernels::inverse_of(stored.scale);
    Codes codes{};
    for (std::size_t i = 0; i < kBlock; ++i) {
        const float code = kernels::nearest_code(inverse * (x[i] - stored.offset), lowest, highest);
        codes[i] = static_cast<std::uint8_t>(static_cast<int>(code - lowest));
    }
    return codes;
}

/// The fit if it beats plain rounding after both were rounded to halves.
Stored better_of(Block x, Block w, const Stored& plain, const Stored& fit, float lowest,
                 float highest) {
    const Stored a{round_to_half(plain.scale), round_to_half(plain.offset)};
    const Stored b{round_to_half(fit.scale), round_to_half(fit.offset)};
    const float plain_error = kernels::code_error(x, w, a.scale, -a.offset, {lowest, highest});
    const float fit_error = kernels::code_error(x, w, b.scale, -b.offset, {lowest, highest});
    return fit_error < plain_error ? b : a;
}

struct WeightedBlock {
    std::array<float, kBlock> weights;
    explicit WeightedBlock(Block x, Block importance) { block_weights(x, importance, weights); }
    Block span() const { return Block(weights); }
};

template <std::size_t BlockBytes, typename EncodeBlock>
void for_each_block(std::span<const float> values, std::span<const float> importance,
                    std::span<std::byte> out, EncodeBlock&& encode_block) {
    for (std::size_t b = 0; b < values.size() / kBlock; ++b) {
        const auto part = importance.empty() ? importance : importance.subspan(b * kBlock, kBlock);
        encode_block(Block(values.subspan(b * kBlock, kBlock)), part, out.data() + b * BlockBytes);
    }
}

/// Q4_0 and Q5_0: half_range is 8 or 16.
template <int HalfRange>
void encode_symmetric(Block x, std::span<const float> importance, std::byte* to) {
    constexpr auto kHalfRange = static_cast<float>(HalfRange);
    Stored stored;
    Codes codes = nearest_symmetric(x, kHalfRange, stored);
    if (!importance.empty()) {
        const WeightedBlock w(x, Block(importance));
        const kernels::ScaleFit fit = kernels::fit_scale(x, w.span(), -kHalfRange);
        stored = better_of(x, w.span(), stored, {fit.scale, 0.0F}, -kHalfRange, kHalfRange - 1);
        codes = best_codes(x, stored, -kHalfRange, kHalfRange - 1);
    }
    store_half(stored.scale, to);
    store_codes(codes, HalfRange == 16, to + 2);
}

/// Q4_1 and Q5_1.
template <int MaxCode>
void encode_affine(Block x, std::span<const float> importance, std::byte* to) {
    constexpr auto kMaxCode = static_cast<float>(MaxCode);
    Stored stored;
    Codes codes = nearest_affine(x, kMaxCode, stored);
    if (!importance.empty()) {
        const WeightedBlock w(x, Block(importance));
        const kernels::AffineFit fit =
            kernels::fit_affine(x, w.span(), kMaxCode, kernels::OffsetSign::Any);
        stored = better_of(x, w.span(), stored, {fit.scale, -fit.offset}, 0.0F, kMaxCode);
        codes = best_codes(x, stored, 0.0F, kMaxCode);
    }
    store_half(stored.scale, to);
    store_half(stored.offset, to + 2);
    store_codes(codes, MaxCode == 31, to + 4);
}

void encode_q8_0_block(Block x, std::byte* to) {
    float largest = 0;
    for (const float value : x) largest = std::max(largest, std::fabs(value));
    const float scale = largest / 127.0F;
    const float inverse = kernels::inverse_of(scale);
    store_half(scale, to);
    for (std::size_t i = 0; i < kBlock; ++i) {
        const auto code = static_cast<std::int8_t>(round_away(x[i] * inverse));
        to[2 + i] = static_cast<std::byte>(code);
    }
}

}  // namespace

void encode_q8_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_block<34>(values, importance, out, [](Block x, std::span<const float>, std::byte* to) {
        encode_q8_0_block(x, to);
    });
}

void encode_q4_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_block<18>(values, importance, out, encode_symmetric<8>);
}

void encode_q5_0(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_block<22>(values, importance, out, encode_symmetric<16>);
}

void encode_q4_1(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_block<20>(values, importance, out, encode_affine<15>);
}

void encode_q5_1(std::span<const float> values, std::span<const float> importance,
                 std::span<std::byte> out) {
    for_each_block<24>(values, importance, out, encode_affine<31>);
}

}  // namespace espalier
