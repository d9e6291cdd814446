#pragma once

#include "kernels/matrix_view.h"

namespace espalier::kernels {

/// out(t, r) = dot(x row t, weight row r) for every vector t of `x` and every r in `rows`, in
/// float32 whatever the weights are stored as: each product sees the value that decode() gives.
/// Columns are summed in vector lanes, 1024 at a time; the order does not depend on how many
/// vectors or rows there are, so neither do the bits of the result.
/// @pre can_decode(weights.dtype), x.stride >= weights.columns
void matmul_float(const MatrixView& weights, RowRange rows, const RowsView& x, ProductsView out);

}  // namespace espalier::kernels
