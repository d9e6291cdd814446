#include "kernels/matmul_integer.h"

#include <algorithm>
#include <array>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_integer.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#if HWY_TARGET != HWY_SCALAR
#include "kernels/integer_blocks-inl.h"
#endif
// clang-format on

#ifndef ESPALIER_KERNELS_MATMUL_INTEGER_ONCE
#define ESPALIER_KERNELS_MATMUL_INTEGER_ONCE
namespace espalier::kernels {

/// A tile of unpacked codes, 32 KiB, stays in a near cache while all vectors pass by.
inline constexpr std::size_t kCodeRows = 16;
inline constexpr std::size_t kCodeColumns = 1024;
/// Up to so many vectors, codes are unpacked in registers for each; beyond, once into a tile.
inline constexpr std::size_t kFewVectors = 2;

}  // namespace espalier::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Machines without vectors of 16-bit integers multiply decoded floats.
bool has_matmul_integer(DType) { return false; }
void matmul_integer(const MatrixView&, RowRange, const IntegerRows&, ProductsView) {}

#else

/// Sum of products of neighbouring lanes, exact.
HWY_INLINE V32 add_products(V16 a, V16 b, V32 sum) {
    V32 odd = hn::Zero(D32());
    const V32 even = hn::ReorderWidenMulAccumulate(D32(), a, b, sum, odd);
    return hn::Add(even, odd);
}

/// sum - minimums of a block of 256 * sums of its groups.
HWY_INLINE VF subtract_minimums(VF sum, const float* minimums, const float* group_sums) {
    for (std::size_t g = 0; g < kIntegerBlock / kIntegerGroup; g += hn::Lanes(DF())) {
        sum = hn::NegMulAdd(hn::LoadU(DF(), minimums + g), hn::LoadU(DF(), group_sums + g), sum);
    }
    return sum;
}

/// The integer form of one vector, from some column on.
struct VectorPart {
    const std::int16_t* values;
    const float* scales;
    const float* sums;
};

HWY_INLINE VectorPart part_of(const IntegerRows& x, std::size_t vector, std::size_t column) {
    const std::size_t row = x.index(vector);
    return {x.values.data() + row * x.columns + column,
            x.scales.data() + row * x.num_blocks() + column / kIntegerBlock,
            x.sums.data() + (row * x.columns + column) / kIntegerGroup};
}

/// Asks for what lies some rows on: weights are read once, in order, and hardware looks ahead too
/// late. Prefetching past the end of a file is harmless.
template <typename Block>
HWY_INLINE void prefetch(const std::byte* block) {
    constexpr std::size_t kAhead = 2048;
    for (std::size_t i = 0; i < Block::kBytes; i += 64) hwy::Prefetch(block + kAhead + i);
}

/// Codes of one block, unpacked in registers, times as many integers: exact sums in lanes.
template <typename Block, typename Header>
HWY_INLINE V32 dot_block(const std::byte* block, const Header& header, const std::int16_t* values) {
    V32 sum = hn::Zero(D32());
    const auto multiply = [&](std::size_t place, V16 even, V16 odd, auto factor) HWY_ATTR {
        const V16 even_values = hn::LoadU(D16(), values + place);
        const V16 odd_values = hn::LoadU(D16(), values + place + 16);
        V32 products = add_products(even, even_values, hn::Zero(D32()));
        products = add_products(odd, odd_values, products);
        sum = hn::Add(sum, factor.times_sum(products));
    };
    Block::codes(block, header, multiply);
    return sum;
}

/// One weight row of super-blocks against one vector over n columns.
template <typename Block>
requires(Block::kElements == kIntegerBlock) HWY_INLINE
    float dot_packed(const std::byte* block, const VectorPart& x, std::size_t n) {
    VF total = hn::Zero(DF());
    for (std::size_t c = 0; c < n; c += kIntegerBlock, block += Block::kBytes) {
        prefetch<Block>(block);
        const auto header = Block::header(block);
        const VF sum = hn::ConvertTo(DF(), dot_block<Block>(block, header, x.values + c));
        const VF part = hn::Mul(sum, hn::Set(DF(), header.scale));
        total = hn::MulAdd(part, hn::Set(DF(), x.scales[c / kIntegerBlock]), total);
        if constexpr (Block::kHasMinimum) {
            HWY_ALIGN float minimums[kIntegerBlock / kIntegerGroup];
            store_minimums(header, minimums);
            total = subtract_minimums(total, minimums, x.sums + c / kIntegerGroup);
        }
    }
    return hn::GetLane(hn::SumOfLanes(DF(), total));
}

/// The same for blocks of 32, summed over 256 before the vector's scale is applied.
template <typename Block>
requires(Block::kElements == kIntegerGroup) HWY_INLINE
    float dot_packed(const std::byte* block, const VectorPart& x, std::size_t n) {
    VF total = hn::Zero(DF());
    for (std::size_t c = 0; c < n; c += kIntegerBlock) {
        VF part = hn::Zero(DF());
        const std::size_t end = std::min(c + kIntegerBlock, n);
        for (std::size_t i = c; i < end; i += kIntegerGroup, block += Block::kBytes) {
            prefetch<Block>(block);
            const auto header = Block::header(block);
            const VF sum = hn::ConvertTo(DF(), dot_block<Block>(block, header, x.values + i));
            part = hn::MulAdd(sum, hn::Set(DF(), header.scale), part);
        }
        total = hn::MulAdd(part, hn::Set(DF(), x.scales[c / kIntegerBlock]), total);
    }
    return hn::GetLane(hn::SumOfLanes(DF(), total));
}

/// Unpacked weights: kCodeRows rows of kCodeColumns columns, as far as they are filled.
struct CodeTile {
    HWY_ALIGN std::int16_t codes[kCodeRows * kCodeColumns];
    HWY_ALIGN float scales[kCodeRows * kCodeColumns / kIntegerGroup];
    HWY_ALIGN float minimums[kCodeRows * kCodeColumns / kIntegerGroup];
};
inline constexpr std::size_t kTileGroups = kCodeColumns / kIntegerGroup;

template <typename Block>
void unpack_row(const std::byte* block, std::size_t n, CodeTile& tile, std::size_t row) {
    std::int16_t* codes = tile.codes + row * kCodeColumns;
    float* scales = tile.scales + row * kTileGroups;
    float* minimums = tile.minimums + row * kTileGroups;
    for (std::size_t i = 0; i < n; i += Block::kElements, block += Block::kBytes) {
        const auto header = Block::header(block);
        const auto store = [&](std::size_t place, V16 even, V16 odd, auto factor) HWY_ATTR {
            hn::StoreU(factor.times(even), D16(), codes + i + place);
            hn::StoreU(factor.times(odd), D16(), codes + i + place + 16);
        };
        Block::codes(block, header, store);
        scales[i / Block::kElements] = header.scale;
        if constexpr (Block::kHasMinimum) store_minimums(header, minimums + i / kIntegerGroup);
    }
}

/// R rows of codes against T vectors over one super-block of 256: parts[r][t] = scale * integer
/// sum. Not inlined: on its own, all of its sums fit into registers.
template <typename Block, std::size_t R, std::size_t T>
requires(Block::kElements == kIntegerBlock) HWY_NOINLINE
    void dot_codes(const std::int16_t* codes, const float* scales,
                   const std::array<const std::int16_t*, T>& x, std::size_t, VF (&parts)[R][T]) {
    V32 sums[R][T];
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < R; ++r) {
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) sums[r][t] = hn::Zero(D32());
    }
    HWY_UNROLL(4)
    for (std::size_t i = 0; i < kIntegerBlock; i += hn::Lanes(D16())) {
        V16 v[T];
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) v[t] = hn::LoadU(D16(), x[t] + i);
        HWY_UNROLL(8)
        for (std::size_t r = 0; r < R; ++r) {
            const V16 w = hn::LoadU(D16(), codes + r * kCodeColumns + i);
            HWY_UNROLL(8)
            for (std::size_t t = 0; t < T; ++t) sums[r][t] = add_products(w, v[t], sums[r][t]);
        }
    }
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < R; ++r) {
        const VF scale = hn::Set(DF(), scales[r * kTileGroups]);
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) {
            parts[r][t] = hn::Mul(hn::ConvertTo(DF(), sums[r][t]), scale);
        }
    }
}

/// The same for up to 8 blocks of 32, each with its own scale.
template <typename Block, std::size_t R, std::size_t T>
requires(Block::kElements == kIntegerGroup) HWY_NOINLINE
    void dot_codes(const std::int16_t* codes, const float* scales,
                   const std::array<const std::int16_t*, T>& x, std::size_t n, VF (&parts)[R][T]) {
    constexpr std::size_t kPieces = kIntegerGroup / hn::MaxLanes(D16());
    VF sums[R][T];
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < R; ++r) {
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) sums[r][t] = hn::Zero(DF());
    }
    for (std::size_t i = 0; i < n; i += kIntegerGroup) {
        HWY_UNROLL(8)
        for (std::size_t r = 0; r < R; ++r) {
            const VF scale = hn::Set(DF(), scales[r * kTileGroups + i / kIntegerGroup]);
            HWY_UNROLL(8)
            for (std::size_t t = 0; t < T; ++t) {
                V32 sum = hn::Zero(D32());
                HWY_UNROLL(8)
                for (std::size_t k = 0; k < kPieces; ++k) {
                    const std::size_t at = i + k * hn::Lanes(D16());
                    sum = add_products(hn::LoadU(D16(), codes + r * kCodeColumns + at),
                                       hn::LoadU(D16(), x[t] + at), sum);
                }
                sums[r][t] = hn::MulAdd(hn::ConvertTo(DF(), sum), scale, sums[r][t]);
            }
        }
    }
    HWY_UNROLL(8)
    for (std::size_t r = 0; r < R; ++r) {
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) parts[r][t] = sums[r][t];
    }
}

/// R rows of a tile against T vectors; sums lanes as dot_packed() does.
template <typename Block, std::size_t R, std::size_t T>
void dot_tile_block(const CodeTile& tile, std::size_t row, const std::array<VectorPart, T>& x,
                    std::size_t n, bool adds, const std::array<float*, T>& out) {
    VF totals[R][T];
    for (auto& of_row : totals) {
        for (auto& total : of_row) total = hn::Zero(DF());
    }
    for (std::size_t c = 0; c < n; c += kIntegerBlock) {
        VF parts[R][T];
        std::array<const std::int16_t*, T> values{};
        for (std::size_t t = 0; t < T; ++t) values[t] = x[t].values + c;
        dot_codes<Block, R, T>(tile.codes + row * kCodeColumns + c,
                               tile.scales + row * kTileGroups + c / Block::kElements, values,
                               std::min(kIntegerBlock, n - c), parts);
        for (std::size_t t = 0; t < T; ++t) {
            const VF scale = hn::Set(DF(), x[t].scales[c / kIntegerBlock]);
            for (std::size_t r = 0; r < R; ++r) {
                totals[r][t] = hn::MulAdd(parts[r][t], scale, totals[r][t]);
                if constexpr (Block::kHasMinimum) {
                    const std::size_t group = c / kIntegerGroup;
                    totals[r][t] = subtract_minimums(
                        totals[r][t], tile.minimums + (row + r) * kTileGroups + group,
                        x[t].sums + group);
                }
            }
        }
    }
    for (std::size_t t = 0; t < T; ++t) {
        for (std::size_t r = 0; r < R; ++r) {
            const float sum = hn::GetLane(hn::SumOfLanes(DF(), totals[r][t]));
            out[t][r] = adds ? out[t][r] + sum : sum;
        }
    }
}

template <typename Block, std::size_t T>
void dot_tile(const CodeTile& tile, std::size_t num_rows, const IntegerRows& x, std::size_t vector,
              std::size_t column, std::size_t n, ProductsView out, std::size_t first_row) {
    std::array<VectorPart, T> parts{};
    std::array<float*, T> to{};
    for (std::size_t t = 0; t < T; ++t) {
        parts[t] = part_of(x, vector + t, column);
        to[t] = out.values.data() + (vector + t) * out.stride + first_row;
    }
    const auto advance = [&](std::size_t by) {
        for (float*& p : to) p += by;
    };
    std::size_t r = 0;
    for (; r + 4 <= num_rows; r += 4) {
        dot_tile_block<Block, 4, T>(tile, r, parts, n, column != 0, to);
        advance(4);
    }
    for (; r < num_rows; ++r) {
        dot_tile_block<Block, 1, T>(tile, r, parts, n, column != 0, to);
        advance(1);
    }
}

template <typename Block>
void matmul_unpacked(const MatrixView& weights, RowRange rows, const IntegerRows& x,
                     ProductsView out) {
    CodeTile tile;
    for (std::size_t r = rows.first; r < rows.last; r += kCodeRows) {
        const std::size_t num_rows = std::min(kCodeRows, rows.last - r);
        for (std::size_t c = 0; c < weights.columns; c += kCodeColumns) {
            const std::size_t n = std::min(kCodeColumns, weights.columns - c);
            const std::size_t offset = c / Block::kElements * Block::kBytes;
            for (std::size_t i = 0; i < num_rows; ++i) {
                unpack_row<Block>(weights.row(r + i) + offset, n, tile, i);
            }
            std::size_t t = 0;
            for (; t + 2 <= x.count; t += 2) {
                dot_tile<Block, 2>(tile, num_rows, x, t, c, n, out, r);
            }
            if (t < x.count) dot_tile<Block, 1>(tile, num_rows, x, t, c, n, out, r);
        }
    }
}

/// Rows of one column tile against one vector; adds to or sets out[row].
template <typename Block>
HWY_NOINLINE void dot_packed_rows(const MatrixView& weights, RowRange rows, std::size_t column,
                                  const VectorPart& x, float* out) {
    const std::size_t n = std::min(kCodeColumns, weights.columns - column);
    const std::byte* blocks = weights.row(rows.first) + column / Block::kElements * Block::kBytes;
    for (std::size_t r = rows.first; r < rows.last; ++r, blocks += weights.row_stride) {
        const float sum = dot_packed<Block>(blocks, x, n);
        out[r] = column == 0 ? sum : out[r] + sum;
    }
}

template <typename Block>
void matmul_blocks(const MatrixView& weights, RowRange rows, const IntegerRows& x,
                   ProductsView out) {
    if (x.count > kFewVectors) {
        matmul_unpacked<Block>(weights, rows, x, out);
        return;
    }
    for (std::size_t t = 0; t < x.count; ++t) {
        for (std::size_t c = 0; c < weights.columns; c += kCodeColumns) {
            dot_packed_rows<Block>(weights, rows, c, part_of(x, t, c),
                                   out.values.data() + t * out.stride);
        }
    }
}

bool has_matmul_integer(DType dtype) {
    switch (dtype) {
        case DType::Q8_0:
        case DType::Q4_0:
        case DType::Q5_0:
        case DType::Q4_K:
        case DType::Q5_K:
        case DType::Q6_K:
            return true;
        default:
            return false;
    }
}

void matmul_integer(const MatrixView& weights, RowRange rows, const IntegerRows& x,
                    ProductsView out) {
    switch (weights.dtype) {
        case DType::Q8_0:
            return matmul_blocks<BlockQ8_0>(weights, rows, x, out);
        case DType::Q4_0:
            return matmul_blocks<BlockQ4_0>(weights, rows, x, out);
        case DType::Q5_0:
            return matmul_blocks<BlockQ5_0>(weights, rows, x, out);
        case DType::Q4_K:
            return matmul_blocks<BlockQ4_K>(weights, rows, x, out);
        case DType::Q5_K:
            return matmul_blocks<BlockQ5_K>(weights, rows, x, out);
        case DType::Q6_K:
            return matmul_blocks<BlockQ6_K>(weights, rows, x, out);
        default:
            return;
    }
}

#endif

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(has_matmul_integer);
HWY_EXPORT(matmul_integer);

bool has_matmul_integer(DType dtype) noexcept {
    return HWY_DYNAMIC_DISPATCH(has_matmul_integer)(dtype);
}

void matmul_integer(const MatrixView& weights, RowRange rows, const IntegerRows& x,
                    ProductsView out) {
    HWY_DYNAMIC_DISPATCH(matmul_integer)(weights, rows, x, out);
}

}  // namespace espalier::kernels
#endif
