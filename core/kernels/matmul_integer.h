#pragma once

#include "kernels/integer_rows.h"
#include "kernels/matrix_view.h"
#include "tensor/dtype.h"

namespace espalier::kernels {

/// True for the block types whose codes are small integers times a scale, and that have a kernel
/// here.
bool has_matmul_integer(DType dtype) noexcept;

/// out(t, r) = dot(x row t, weight row r) with the codes of weights and activations multiplied and
/// summed as integers, exactly, over blocks of 256; scales and block sums in float32. The error
/// against matmul_float comes from the rounding of activations alone: about 1e-4 of a typical
/// product.
/// @pre has_matmul_integer(weights.dtype), x.columns == weights.columns
void matmul_integer(const MatrixView& weights, RowRange rows, const IntegerRows& x,
                    ProductsView out);

}  // namespace espalier::kernels
