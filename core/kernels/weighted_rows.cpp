#include "kernels/weighted_rows.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/decode.h"

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/weighted_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/tail-inl.h"
// clang-format on

#ifndef ESPALIER_KERNELS_WEIGHTED_ROWS_ONCE
#define ESPALIER_KERNELS_WEIGHTED_ROWS_ONCE
namespace espalier::kernels {

/// Rows that stay in the second-level cache while all vectors and columns pass by.
inline constexpr std::size_t kBlockRows = 64;
/// The same for rows that have to be decoded: 64 KiB of floats.
inline constexpr std::size_t kDecodedRows = 16;
inline constexpr std::size_t kDecodedColumns = 1024;

/// Some rows of a matrix as floats, and the place of the first among the weights.
struct RowBlock {
    const float* rows = nullptr;
    std::size_t stride = 0;
    std::size_t count = 0;
    std::size_t columns = 0;
    std::size_t first = 0;
};

}  // namespace espalier::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// T vectors on N vectors of columns, the last of which has `last` columns: adds to out.
template <std::size_t T, std::size_t N>
HWY_INLINE void add_block(const RowBlock& block, std::size_t column, std::size_t last,
                          const std::array<const float*, T>& weights,
                          const std::array<float*, T>& out) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto count = [&](std::size_t v) HWY_ATTR { return v + 1 == N ? last : lanes; };
    hn::VFromD<decltype(d)> sums[T][N];
    for (std::size_t t = 0; t < T; ++t) {
        for (std::size_t v = 0; v < N; ++v) {
            sums[t][v] = load_n(d, out[t] + column + v * lanes, count(v));
        }
    }
    for (std::size_t r = 0; r < block.count; ++r) {
        const float* row = block.rows + r * block.stride + column;
        hn::VFromD<decltype(d)> values[N];
        HWY_UNROLL(4)
        for (std::size_t v = 0; v < N; ++v) values[v] = load_n(d, row + v * lanes, count(v));
        HWY_UNROLL(4)
        for (std::size_t t = 0; t < T; ++t) {
            const auto weight = hn::Set(d, weights[t][block.first + r]);
            HWY_UNROLL(4)
            for (std::size_t v = 0; v < N; ++v) {
                sums[t][v] = hn::MulAdd(weight, values[v], sums[t][v]);
            }
        }
    }
    for (std::size_t t = 0; t < T; ++t) {
        for (std::size_t v = 0; v < N; ++v) {
            store_n(sums[t][v], d, out[t] + column + v * lanes, count(v));
        }
    }
}

template <std::size_t T>
HWY_INLINE void add_vectors(const RowBlock& block, const RowsView& weights, std::size_t vector,
                            ProductsView out, std::size_t first_column) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    std::array<const float*, T> from{};
    std::array<float*, T> to{};
    for (std::size_t t = 0; t < T; ++t) {
        from[t] = weights.row(vector + t);
        to[t] = out.values.data() + (vector + t) * out.stride + first_column;
    }
    std::size_t c = 0;
    for (; c + 4 * lanes <= block.columns; c += 4 * lanes) {
        add_block<T, 4>(block, c, lanes, from, to);
    }
    for (; c < block.columns; c += lanes) {
        add_block<T, 1>(block, c, std::min(lanes, block.columns - c), from, to);
    }
}

void add_rows(const RowBlock& block, const RowsView& weights, ProductsView out,
              std::size_t first_column) {
    std::size_t t = 0;
    for (; t + 2 <= weights.count; t += 2) add_vectors<2>(block, weights, t, out, first_column);
    if (t < weights.count) add_vectors<1>(block, weights, t, out, first_column);
}

void add_decoded(const MatrixView& matrix, RowRange rows, const RowsView& weights,
                 ProductsView out) {
    HWY_ALIGN float tile[kDecodedRows * kDecodedColumns];
    const DTypeInfo& type = info(matrix.dtype);
    for (std::size_t c = 0; c < matrix.columns; c += kDecodedColumns) {
        const std::size_t n = std::min(kDecodedColumns, matrix.columns - c);
        const std::size_t offset = c / type.block_size * type.block_bytes;
        const std::size_t bytes = n / type.block_size * type.block_bytes;
        for (std::size_t r = rows.first; r < rows.last; r += kDecodedRows) {
            const std::size_t count = std::min(kDecodedRows, rows.last - r);
            for (std::size_t i = 0; i < count; ++i) {
                decode(matrix.dtype, {matrix.row(r + i) + offset, bytes},
                       {tile + i * kDecodedColumns, n});
            }
            add_rows({tile, kDecodedColumns, count, n, r - rows.first}, weights, out, c);
        }
    }
}

void add_floats(const MatrixView& matrix, RowRange rows, const RowsView& weights,
                ProductsView out) {
    for (std::size_t r = rows.first; r < rows.last; r += kBlockRows) {
        add_rows({reinterpret_cast<const float*>(matrix.row(r)), matrix.row_stride / sizeof(float),
                  std::min(kBlockRows, rows.last - r), matrix.columns, r - rows.first},
                 weights, out, 0);
    }
}

void weighted_rows(const MatrixView& matrix, RowRange rows, const RowsView& weights,
                   ProductsView out) {
    for (std::size_t t = 0; t < weights.count; ++t) {
        std::fill_n(out.values.data() + t * out.stride, matrix.columns, 0.0F);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(matrix.bytes.data());
    if (matrix.dtype == DType::F32 && address % alignof(float) == 0 &&
        matrix.row_stride % sizeof(float) == 0) {
        add_floats(matrix, rows, weights, out);
    } else {
        add_decoded(matrix, rows, weights, out);
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(weighted_rows);

void weighted_rows(const MatrixView& matrix, RowRange rows, const RowsView& weights,
                   ProductsView out) {
    HWY_DYNAMIC_DISPATCH(weighted_rows)(matrix, rows, weights, out);
}

}  // namespace espalier::kernels
#endif
