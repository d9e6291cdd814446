#include "kernels/matmul_bf16.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tensor/float_formats.h"

#if defined(__x86_64__) && defined(__GNUC__)
// GCC 12 warns of the undefined operands inside its own intrinsics, where they are expanded.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#define ESPALIER_BF16_PAIRS 1
#define ESPALIER_BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#endif

// Highway 1.0 has no products of bfloat16 pairs that keep their order, hence intrinsics.

namespace espalier::kernels {

#ifdef ESPALIER_BF16_PAIRS

namespace {

/// Weight rows in a panel: the lanes of a register.
constexpr std::size_t kPanelRows = 16;
/// Pairs of columns that are packed together. A block of weights, half a MiB, and one of vectors
/// stay in the caches while they meet.
constexpr std::size_t kBlockPairs = 512;
/// Vectors and panels whose sums are in registers together: 24 of 32.
constexpr std::size_t kVectors = 12;
constexpr std::size_t kPanels = 2;

using Pairs = std::vector<std::uint32_t>;

void grow(Pairs& pairs, std::size_t size) {
    if (pairs.size() < size) pairs.resize(size);
}

/// 16 dwords of 16 rows, turned: dword i of the first `count` rows goes to out[i * count].
ESPALIER_BF16_TARGET inline void transpose(__m512i (&rows)[kPanelRows], std::size_t count,
                                           std::uint32_t* out) {
    const auto mask = static_cast<__mmask16>((1U << count) - 1U);
    __m512i a[kPanelRows];
    for (std::size_t i = 0; i < kPanelRows; i += 2) {
        a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (std::size_t i = 0; i < kPanelRows; i += 4) {
        rows[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    // Lane l of rows[4 q + i] now holds dword 4 l + i of rows 4 q … 4 q + 3.
    for (std::size_t i = 0; i < 4; ++i) {
        const __m512i low01 = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0x44);
        const __m512i high01 = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0xEE);
        const __m512i low23 = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0x44);
        const __m512i high23 = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0xEE);
        const auto store = [&](std::size_t dword, __m512i value) ESPALIER_BF16_TARGET {
            _mm512_mask_storeu_epi32(out + dword * count, mask, value);
        };
        store(i, _mm512_shuffle_i32x4(low01, low23, 0x88));
        store(4 + i, _mm512_shuffle_i32x4(low01, low23, 0xDD));
        store(8 + i, _mm512_shuffle_i32x4(high01, high23, 0x88));
        store(12 + i, _mm512_shuffle_i32x4(high01, high23, 0xDD));
    }
}

/// Pairs [first, first + pairs) of `count` rows as [pair, row]; row(i) is null for zeros. Room for
/// whole groups of 16 pairs is written.
template <typename Row>
ESPALIER_BF16_TARGET void pack(const Row& row, std::size_t count, std::size_t first,
                               std::size_t pairs, std::uint32_t* out) {
    for (std::size_t p = 0; p < pairs; p += kPanelRows) {
        const std::size_t n = std::min(kPanelRows, pairs - p);
        const auto mask = static_cast<__mmask16>((1U << n) - 1U);
        __m512i rows[kPanelRows];
        for (std::size_t i = 0; i < kPanelRows; ++i) {
            const void* from = i < count ? row(i) : nullptr;
            rows[i] = from == nullptr
                          ? _mm512_setzero_si512()
                          : _mm512_maskz_loadu_epi32(
                                mask, static_cast<const std::uint32_t*>(from) + first + p);
        }
        transpose(rows, count, out + p * count);
    }
}

/// What a block of products reads and writes.
struct Block {
    const std::uint32_t* vectors = nullptr;  ///< [pairs, T]
    const std::uint32_t* panels = nullptr;   ///< P panels of [pairs, 16]
    std::size_t panel_stride = 0;
    std::size_t pairs = 0;
    bool adds = false;
    std::size_t num_rows = 0;  ///< of the panels, that exist
    float* out = nullptr;
    std::size_t out_stride = 0;
};

template <std::size_t T, std::size_t P>
ESPALIER_BF16_TARGET void multiply_block(const Block& block) {
    __m512 sums[T][P];
    __mmask16 masks[P];
    for (std::size_t p = 0; p < P; ++p) {
        const std::size_t rows = std::min(kPanelRows, block.num_rows - p * kPanelRows);
        masks[p] = static_cast<__mmask16>((1U << rows) - 1U);
    }
#pragma GCC unroll 12
    for (std::size_t t = 0; t < T; ++t) {
#pragma GCC unroll 2
        for (std::size_t p = 0; p < P; ++p) {
            sums[t][p] = block.adds
                             ? _mm512_maskz_loadu_ps(
                                   masks[p], block.out + t * block.out_stride + p * kPanelRows)
                             : _mm512_setzero_ps();
        }
    }
    const std::uint32_t* x = block.vectors;
    const std::uint32_t* w = block.panels;
    for (std::size_t pair = 0; pair < block.pairs; ++pair) {
        __m512i weights[P];
#pragma GCC unroll 2
        for (std::size_t p = 0; p < P; ++p) {
            weights[p] = _mm512_loadu_si512(w + p * block.panel_stride);
        }
#pragma GCC unroll 12
        for (std::size_t t = 0; t < T; ++t) {
            const __m512i value = _mm512_set1_epi32(static_cast<int>(x[t]));
#pragma GCC unroll 2
            for (std::size_t p = 0; p < P; ++p) {
                sums[t][p] = _mm512_dpbf16_ps(sums[t][p], reinterpret_cast<__m512bh>(value),
                                              reinterpret_cast<__m512bh>(weights[p]));
            }
        }
        x += T;
        w += kPanelRows;
    }
#pragma GCC unroll 12
    for (std::size_t t = 0; t < T; ++t) {
#pragma GCC unroll 2
        for (std::size_t p = 0; p < P; ++p) {
            _mm512_mask_storeu_ps(block.out + t * block.out_stride + p * kPanelRows, masks[p],
                                  sums[t][p]);
        }
    }
}

template <std::size_t T>
void multiply_panels(Block block, std::size_t num_rows) {
    constexpr std::size_t kRows = kPanels * kPanelRows;
    for (std::size_t r = 0; r < num_rows; r += kRows) {
        block.num_rows = std::min(kRows, num_rows - r);
        if (block.num_rows > kPanelRows) {
            multiply_block<T, 2>(block);
        } else {
            multiply_block<T, 1>(block);
        }
        block.panels += kPanels * block.panel_stride;
        block.out += kRows;
    }
}

using Multiply = void (*)(Block, std::size_t);
constexpr Multiply kMultiply[kVectors] = {
    multiply_panels<1>, multiply_panels<2>,  multiply_panels<3>,  multiply_panels<4>,
    multiply_panels<5>, multiply_panels<6>,  multiply_panels<7>,  multiply_panels<8>,
    multiply_panels<9>, multiply_panels<10>, multiply_panels<11>, multiply_panels<12>};

}  // namespace

bool has_matmul_bf16() noexcept {
    static const bool found = __builtin_cpu_supports("avx512bf16") != 0 &&
                              __builtin_cpu_supports("avx512bw") != 0 &&
                              __builtin_cpu_supports("avx512vl") != 0;
    return found;
}

void matmul_bf16(const MatrixView& weights, RowRange rows, const Bf16RowsView& x,
                 ProductsView out) {
    thread_local Pairs packed_weights;
    thread_local Pairs packed_vectors;
    const std::size_t all_pairs = weights.columns / 2;
    const std::size_t room =
        std::min(kBlockPairs, (all_pairs + kPanelRows - 1) / kPanelRows * kPanelRows);
    const std::size_t num_rows = std::min(kBf16BlockRows, rows.last - rows.first);
    grow(packed_weights, (num_rows + kPanelRows - 1) / kPanelRows * kPanelRows * room);
    grow(packed_vectors, x.count * room);
    for (std::size_t pair = 0; pair < all_pairs; pair += kBlockPairs) {
        const std::size_t pairs = std::min(kBlockPairs, all_pairs - pair);
        for (std::size_t t = 0; t < x.count; t += kVectors) {
            pack([&](std::size_t i) -> const void* { return x.row(t + i); },
                 std::min(kVectors, x.count - t), pair, pairs, packed_vectors.data() + t * room);
        }
        for (std::size_t row = rows.first; row < rows.last; row += kBf16BlockRows) {
            const std::size_t last = std::min(row + kBf16BlockRows, rows.last);
            for (std::size_t r = row; r < last; r += kPanelRows) {
                pack(
                    [&](std::size_t i) -> const void* {
                        return r + i < last ? weights.row(r + i) : nullptr;
                    },
                    kPanelRows, pair, pairs, packed_weights.data() + (r - row) * room);
            }
            for (std::size_t t = 0; t < x.count; t += kVectors) {
                kMultiply[std::min(kVectors, x.count - t) - 1](
                    {.vectors = packed_vectors.data() + t * room,
                     .panels = packed_weights.data(),
                     .panel_stride = room * kPanelRows,
                     .pairs = pairs,
                     .adds = pair != 0,
                     .num_rows = 0,
                     .out = out.values.data() + t * out.stride + row,
                     .out_stride = out.stride},
                    last - row);
            }
        }
    }
}

#else

bool has_matmul_bf16() noexcept { return false; }

void matmul_bf16(const MatrixView& /*weights*/, RowRange /*rows*/, const Bf16RowsView& /*x*/,
                 ProductsView /*out*/) {}

#endif

#ifdef ESPALIER_BF16_PAIRS
namespace {

/// Whole vectors of `values`; returns how many values that were.
ESPALIER_BF16_TARGET std::size_t round_vectors(std::span<const float> values,
                                               std::uint16_t* out) noexcept {
    std::size_t i = 0;
    for (; i + kPanelRows <= values.size(); i += kPanelRows) {
        const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(values.data() + i));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            reinterpret_cast<__m256i>(rounded));
    }
    return i;
}

}  // namespace
#endif

void round_to_bf16(std::span<const float> values, std::span<std::uint16_t> out) noexcept {
    std::size_t done = 0;
#ifdef ESPALIER_BF16_PAIRS
    if (has_matmul_bf16()) done = round_vectors(values, out.data());
#endif
    for (std::size_t i = done; i < values.size(); ++i) out[i] = float_to_bf16(values[i]);
}

}  // namespace espalier::kernels
