#include "infer/activations.h"

#include <algorithm>

#include "base/cancel.h"
#include "kernels/matmul_bf16.h"
#include "kernels/matmul_float.h"
#include "kernels/matmul_integer.h"
#include "kernels/vector_ops.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

/// Multiplications worth handing to another thread: some ten microseconds.
constexpr std::size_t kPieceProducts = std::size_t{1} << 17;
/// A piece has whole tiles of the kernels.
constexpr std::size_t kPieceRows = 16;

std::size_t rows_per_piece(Arithmetic arithmetic, std::size_t columns, std::size_t num_vectors) {
    const std::size_t least =
        arithmetic == Arithmetic::BFloat16 ? kernels::kBf16BlockRows : kPieceRows;
    const std::size_t rows = kPieceProducts / std::max<std::size_t>(columns * num_vectors, 1);
    return std::max(least, rows / kPieceRows * kPieceRows);
}

}  // namespace

void Activations::assign(const Compute& compute, std::span<const float> values,
                         std::size_t columns) {
    values_ = values;
    columns_ = columns;
    num_rows_ = values.size() / columns;
    has_pairs_ = compute.arithmetic == Arithmetic::BFloat16 && kernels::has_matmul_bf16() &&
                 columns % 2 == 0;
    has_bf16_ = compute.arithmetic != Arithmetic::Float32 && !has_pairs_;
    has_integers_ =
        compute.arithmetic == Arithmetic::Integer16 && columns % kernels::kIntegerGroup == 0;
    if (has_integers_) quantise(compute);
    if (has_pairs_) round_to_pairs(compute);
    if (has_bf16_) round_to_bf16(compute);
}

void Activations::round_to_bf16(const Compute& compute) {
    const auto rounded = bf16_.take(values_.size());
    compute.pool.parallel_for(num_rows_, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin * columns_; i < end * columns_; ++i) {
            rounded[i] = bf16_to_float(float_to_bf16(values_[i]));
        }
    });
}

void Activations::round_to_pairs(const Compute& compute) {
    const auto rounded = pairs_.take(values_.size());
    compute.pool.parallel_for(num_rows_, 16, [&](std::size_t begin, std::size_t end) {
        const std::size_t count = (end - begin) * columns_;
        kernels::round_to_bf16(values_.subspan(begin * columns_, count),
                               rounded.subspan(begin * columns_, count));
    });
}

void Activations::quantise(const Compute& compute) {
    const std::size_t num_groups = columns_ / kernels::kIntegerGroup;
    const std::size_t num_blocks = (columns_ + kernels::kIntegerBlock - 1) / kernels::kIntegerBlock;
    const auto integers = integers_.take(num_rows_ * columns_);
    const auto scales = scales_.take(num_rows_ * num_blocks);
    const auto sums = sums_.take(num_rows_ * num_groups);
    compute.pool.parallel_for(num_rows_, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t row = begin; row < end; ++row) {
            kernels::quantise_row(values_.subspan(row * columns_, columns_),
                                  integers.subspan(row * columns_, columns_),
                                  scales.subspan(row * num_blocks, num_blocks),
                                  sums.subspan(row * num_groups, num_groups));
        }
    });
}

void Activations::multiply(const kernels::MatrixView& weights, kernels::RowRange rows,
                           std::span<const std::int32_t> picked, kernels::ProductsView out,
                           Arithmetic arithmetic) const {
    const bool may_round = arithmetic != Arithmetic::Float32;
    const std::size_t count = picked.empty() ? num_rows_ : picked.size();
    if (may_round && has_integers_ && kernels::has_matmul_integer(weights.dtype)) {
        const std::size_t num_groups = columns_ / kernels::kIntegerGroup;
        const std::size_t num_blocks =
            (columns_ + kernels::kIntegerBlock - 1) / kernels::kIntegerBlock;
        kernels::matmul_integer(weights, rows,
                                {.values = integers_.first(num_rows_ * columns_),
                                 .scales = scales_.first(num_rows_ * num_blocks),
                                 .sums = sums_.first(num_rows_ * num_groups),
                                 .count = count,
                                 .columns = columns_,
                                 .picked = picked},
                                out);
        return;
    }
    if (may_round && has_pairs_ && weights.dtype == DType::BF16) {
        kernels::matmul_bf16(weights, rows,
                             {.values = pairs_.first(values_.size()),
                              .count = count,
                              .stride = columns_,
                              .picked = picked},
                             out);
        return;
    }
    const bool rounded = may_round && has_bf16_ && weights.dtype == DType::BF16;
    const auto values = rounded ? bf16_.first(values_.size()) : values_;
    kernels::matmul_float(weights, rows,
                          {.values = values, .count = count, .stride = columns_, .picked = picked},
                          out);
}

void linear(const Compute& compute, const kernels::MatrixView& weights, const Activations& x,
            std::span<float> out) {
    const std::size_t piece = rows_per_piece(compute.arithmetic, weights.columns, x.num_rows());
    compute.pool.parallel_for(weights.rows, piece, [&](std::size_t begin, std::size_t end) {
        throw_if_stopped(compute.stop);
        x.multiply(weights, {begin, end}, {}, {.values = out, .stride = weights.rows},
                   compute.arithmetic);
    });
}

void add_bias(std::span<const float> bias, std::span<float> rows) {
    if (bias.empty()) return;
    for (std::size_t i = 0; i < rows.size(); i += bias.size()) {
        kernels::add(bias, rows.subspan(i, bias.size()));
    }
}

}  // namespace espalier
