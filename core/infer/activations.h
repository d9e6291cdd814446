#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "infer/compute.h"
#include "infer/scratch.h"
#include "kernels/integer_rows.h"
#include "kernels/matrix_view.h"

namespace espalier {

/// Vectors on their way into weight matrices: floats, and their rounded forms where the arithmetic
/// asks for them. Keeps its memory from one use to the next.
class Activations {
public:
    /// Takes `values` [rows, columns] by reference, until the next call.
    void assign(const Compute& compute, std::span<const float> values, std::size_t columns);

    std::size_t num_rows() const noexcept { return num_rows_; }
    /// [rows, columns], as they came.
    std::span<const float> values() const noexcept { return values_; }

    /// Products of the picked vectors (all if empty) with a piece of the weights, on this thread.
    /// Float32 passes the rounded forms by, even where assign() made them.
    void multiply(const kernels::MatrixView& weights, kernels::RowRange rows,
                  std::span<const std::int32_t> picked, kernels::ProductsView out,
                  Arithmetic arithmetic = Arithmetic::Integer16) const;

private:
    void quantise(const Compute& compute);
    void round_to_bf16(const Compute& compute);
    void round_to_pairs(const Compute& compute);

    std::span<const float> values_;
    std::size_t columns_ = 0;
    std::size_t num_rows_ = 0;
    bool has_integers_ = false;
    bool has_bf16_ = false;
    bool has_pairs_ = false;
    Scratch<std::int16_t> integers_;
    Scratch<float> scales_;
    Scratch<float> sums_;
    Scratch<float> bf16_;           ///< values that bfloat16 can say
    Scratch<std::uint16_t> pairs_;  ///< the same, as bfloat16
};

/// out[t, r] = dot(x[t], weights[r]) for all rows of `weights`, spread over the pool.
/// `out` is [x.num_rows(), weights.rows].
void linear(const Compute& compute, const kernels::MatrixView& weights, const Activations& x,
            std::span<float> out);

/// Adds `bias` to every row of `rows`; nothing if it is empty.
void add_bias(std::span<const float> bias, std::span<float> rows);

}  // namespace espalier
