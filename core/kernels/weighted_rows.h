#pragma once

#include "kernels/matrix_view.h"

namespace espalier::kernels {

/// out(t, c) = sum over i of weights(t, i) * matrix(rows.first + i, c): the product with the
/// transpose of what matmul_float multiplies with. Element (t, c) goes to values[t * stride + c].
/// Float32, each sum in the order of the rows whatever is computed beside it.
/// @pre can_decode(matrix.dtype), weights.stride >= rows.last - rows.first
void weighted_rows(const MatrixView& matrix, RowRange rows, const RowsView& weights,
                   ProductsView out);

}  // namespace espalier::kernels
