#include "kernels/matmul_float.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/decode.h"
#include "kernels/fp4.h"

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_float.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/tail-inl.h"
// clang-format on

#ifndef ESPALIER_KERNELS_MATMUL_FLOAT_ONCE
#define ESPALIER_KERNELS_MATMUL_FLOAT_ONCE
namespace espalier::kernels {

/// A tile of decoded weights, 64 KiB, stays in the second-level cache while all vectors pass by.
inline constexpr std::size_t kTileRows = 16;
inline constexpr std::size_t kTileColumns = 1024;
/// How far ahead of its use a single vector asks for weights. Past the end of a file it is
/// harmless.
inline constexpr std::size_t kPrefetchBytes = 2048;
/// Up to so many vectors, half-width floats are widened in registers for each; beyond, once into a
/// tile.
inline constexpr std::size_t kFewVectors = 6;

}  // namespace espalier::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename D>
HWY_INLINE hn::VFromD<D> load_as_float(D d, const float* from, std::size_t n) {
    return load_n(d, from, n);
}

template <typename D, typename Half>
HWY_INLINE hn::VFromD<D> load_as_float(D d, const Half* from, std::size_t n) {
    const hn::Rebind<Half, D> narrow;
    return hn::PromoteTo(d, load_n(narrow, from, n));
}

/// R weight rows against T vectors over n columns; adds to or sets out.
template <std::size_t R, std::size_t T, typename Weight>
HWY_INLINE void dot_block(const Weight* weights, std::size_t weight_stride,
                          const std::array<const float*, T>& x, std::size_t n, bool adds,
                          float* const* out) {
    const hn::ScalableTag<float> d;
    const std::size_t lanes = hn::Lanes(d);
    hn::VFromD<decltype(d)> sums[R][T];
    for (auto& row : sums) {
        for (auto& sum : row) sum = hn::Zero(d);
    }
    const auto step = [&](std::size_t i, std::size_t count) HWY_ATTR {
        hn::VFromD<decltype(d)> v[T];
        HWY_UNROLL(8)
        for (std::size_t t = 0; t < T; ++t) v[t] = load_n(d, x[t] + i, count);
        HWY_UNROLL(8)
        for (std::size_t r = 0; r < R; ++r) {
            const Weight* from = weights + r * weight_stride + i;
            // One vector reads the weights once, from memory. Half floats come too fast for the
            // hardware to look ahead; for whole ones it knows better.
            if constexpr (T == 1 && sizeof(Weight) == 2)
                hwy::Prefetch(from + kPrefetchBytes / sizeof(Weight));
            const auto w = load_as_float(d, from, count);
            HWY_UNROLL(8)
            for (std::size_t t = 0; t < T; ++t) sums[r][t] = hn::MulAdd(w, v[t], sums[r][t]);
        }
    };
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) step(i, lanes);
    if (i < n) step(i, n - i);
    for (std::size_t t = 0; t < T; ++t) {
        for (std::size_t r = 0; r < R; ++r) {
            const float sum = hn::GetLane(hn::SumOfLanes(d, sums[r][t]));
            out[t][r] = adds ? out[t][r] + sum : sum;
        }
    }
}

template <std::size_t R, std::size_t T, typename Weight>
HWY_INLINE void dot_rows(const Weight* weights, std::size_t weight_stride, std::size_t num_rows,
                         const RowsView& x, std::size_t vector, std::size_t column, std::size_t n,
                         ProductsView out, std::size_t first_row) {
    std::array<const float*, T> rows{};
    for (std::size_t t = 0; t < T; ++t) rows[t] = x.row(vector + t) + column;
    const auto block = [&](auto height, std::size_t r) HWY_ATTR {
        std::array<float*, T> to{};
        for (std::size_t t = 0; t < T; ++t) {
            to[t] = out.values.data() + (vector + t) * out.stride + first_row + r;
        }
        dot_block<decltype(height)::value, T>(weights + r * weight_stride, weight_stride, rows, n,
                                              column != 0, to.data());
    };
    std::size_t r = 0;
    for (; r + R <= num_rows; r += R) block(std::integral_constant<std::size_t, R>(), r);
    for (; r < num_rows; ++r) block(std::integral_constant<std::size_t, 1>(), r);
}

/// All vectors against `num_rows` rows of weights that start at `weights`.
template <typename Weight>
void dot_tile(const Weight* weights, std::size_t weight_stride, std::size_t num_rows,
              const RowsView& x, std::size_t column, std::size_t n, ProductsView out,
              std::size_t first_row) {
    std::size_t t = 0;
    for (; t + 3 <= x.count; t += 3) {
        dot_rows<4, 3>(weights, weight_stride, num_rows, x, t, column, n, out, first_row);
    }
    if (x.count - t == 2) {
        dot_rows<4, 2>(weights, weight_stride, num_rows, x, t, column, n, out, first_row);
    } else if (x.count - t == 1) {
        dot_rows<2, 1>(weights, weight_stride, num_rows, x, t, column, n, out, first_row);
    }
}

/// Weights that vectors can be loaded from as they lie.
template <typename Weight>
void matmul_in_place(const MatrixView& weights, RowRange rows, const RowsView& x,
                     ProductsView out) {
    const std::size_t stride = weights.row_stride / sizeof(Weight);
    for (std::size_t r = rows.first; r < rows.last; r += kTileRows) {
        const std::size_t num_rows = std::min(kTileRows, rows.last - r);
        for (std::size_t c = 0; c < weights.columns; c += kTileColumns) {
            const std::size_t n = std::min(kTileColumns, weights.columns - c);
            const auto* first = reinterpret_cast<const Weight*>(weights.row(r)) + c;
            dot_tile(first, stride, num_rows, x, c, n, out, r);
        }
    }
}

/// decode() for half-width floats at vector speed.
template <typename Half>
void widen(const std::byte* bytes, std::span<float> out) {
    const hn::ScalableTag<float> d;
    const hn::Rebind<Half, decltype(d)> narrow;
    for_each_vector(d, out.size(), [&](std::size_t i, std::size_t n) HWY_ATTR {
        HWY_ALIGN Half halves[hn::MaxLanes(d)];
        std::memcpy(halves, bytes + i * sizeof(Half), std::min(n, hn::MaxLanes(d)) * sizeof(Half));
        store_n(hn::PromoteTo(d, hn::Load(narrow, halves)), d, out.data() + i, n);
    });
}

#if HWY_TARGET == HWY_SCALAR

void widen_mxfp4(const std::byte* blocks, std::span<float> out) {
    decode(DType::MXFP4, {blocks, out.size() / kMxfp4Values * (1 + kMxfp4CodeBytes)}, out);
}

void widen_mxfp4_pair(const std::byte* codes, const std::byte* scales, std::span<float> out) {
    const std::size_t blocks = out.size() / kMxfp4Values;
    decode_mxfp4_pair({codes, blocks * kMxfp4CodeBytes}, {scales, blocks}, out);
}

#else

/// One block of MXFP4 times `scale`; the two values of a byte are neighbours (kPairs) or half a
/// block apart.
template <bool kPairs>
HWY_INLINE void widen_mxfp4_block(const std::byte* codes, float scale, float* out) {
    const hn::FixedTag<std::uint8_t, kMxfp4CodeBytes> d8;
    const auto table =
        hn::LoadDup128(d8, reinterpret_cast<const std::uint8_t*>(kDoubledE2M1.data()));
    const auto packed = hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(codes));
    const auto low = hn::TableLookupBytes(table, hn::And(packed, hn::Set(d8, 15)));
    const auto high = hn::TableLookupBytes(table, hn::ShiftRight<4>(packed));
    HWY_ALIGN std::int8_t values[kMxfp4Values];
    auto* to = reinterpret_cast<std::uint8_t*>(values);
    hn::Store(kPairs ? hn::InterleaveLower(d8, low, high) : low, d8, to);
    hn::Store(kPairs ? hn::InterleaveUpper(d8, low, high) : high, d8, to + kMxfp4CodeBytes);
    const hn::CappedTag<float, kMxfp4CodeBytes> d;
    const hn::Rebind<std::int32_t, decltype(d)> d32;
    const hn::Rebind<std::int8_t, decltype(d)> narrow;
    for (std::size_t i = 0; i < kMxfp4Values; i += hn::Lanes(d)) {
        const auto whole = hn::PromoteTo(d32, hn::Load(narrow, values + i));
        hn::StoreU(hn::Mul(hn::ConvertTo(d, whole), hn::Set(d, scale)), d, out + i);
    }
}

/// decode() for MXFP4 at vector speed.
void widen_mxfp4(const std::byte* blocks, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); i += kMxfp4Values) {
        widen_mxfp4_block<false>(blocks + 1, half_of_e8m0(*blocks), out.data() + i);
        blocks += 1 + kMxfp4CodeBytes;
    }
}

void widen_mxfp4_pair(const std::byte* codes, const std::byte* scales, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); i += kMxfp4Values) {
        widen_mxfp4_block<true>(codes, half_of_ocp_e8m0(*scales), out.data() + i);
        codes += kMxfp4CodeBytes;
        ++scales;
    }
}

#endif

/// Columns from `column` on, a multiple of every block's size.
void decode_tile_row(const MatrixView& weights, std::size_t row, std::size_t column,
                     std::span<float> out) {
    if (!weights.scales.empty()) {
        const std::byte* codes = weights.row(row) + column / kMxfp4Values * kMxfp4CodeBytes;
        return widen_mxfp4_pair(codes, weights.scales_of(row) + column / kMxfp4Values, out);
    }
    const DTypeInfo& type = info(weights.dtype);
    const std::byte* from = weights.row(row) + column / type.block_size * type.block_bytes;
    switch (weights.dtype) {
        case DType::BF16:
            return widen<hwy::bfloat16_t>(from, out);
        case DType::F16:
            return widen<hwy::float16_t>(from, out);
        case DType::MXFP4:
            return widen_mxfp4(from, out);
        default:
            return decode(weights.dtype, {from, out.size() / type.block_size * type.block_bytes},
                          out);
    }
}

void matmul_decoded(const MatrixView& weights, RowRange rows, const RowsView& x, ProductsView out) {
    HWY_ALIGN float tile[kTileRows * kTileColumns];
    for (std::size_t r = rows.first; r < rows.last; r += kTileRows) {
        const std::size_t num_rows = std::min(kTileRows, rows.last - r);
        for (std::size_t c = 0; c < weights.columns; c += kTileColumns) {
            const std::size_t n = std::min(kTileColumns, weights.columns - c);
            for (std::size_t i = 0; i < num_rows; ++i) {
                decode_tile_row(weights, r + i, c, {tile + i * kTileColumns, n});
            }
            dot_tile(tile, kTileColumns, num_rows, x, c, n, out, r);
        }
    }
}

bool is_aligned(const MatrixView& weights, std::size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(weights.bytes.data());
    return address % alignment == 0 && weights.row_stride % alignment == 0;
}

void matmul_float(const MatrixView& weights, RowRange rows, const RowsView& x, ProductsView out) {
    const bool few = x.count <= kFewVectors;
    if (weights.dtype == DType::F32 && is_aligned(weights, alignof(float))) {
        matmul_in_place<float>(weights, rows, x, out);
    } else if (weights.dtype == DType::BF16 && few &&
               is_aligned(weights, alignof(hwy::bfloat16_t))) {
        matmul_in_place<hwy::bfloat16_t>(weights, rows, x, out);
    } else if (weights.dtype == DType::F16 && few && is_aligned(weights, alignof(hwy::float16_t))) {
        matmul_in_place<hwy::float16_t>(weights, rows, x, out);
    } else {
        matmul_decoded(weights, rows, x, out);
    }
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(matmul_float);

void matmul_float(const MatrixView& weights, RowRange rows, const RowsView& x, ProductsView out) {
    HWY_DYNAMIC_DISPATCH(matmul_float)(weights, rows, x, out);
}

}  // namespace espalier::kernels
#endif
