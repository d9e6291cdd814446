#pragma once

#include <torch/types.h>

namespace espalier {

/// y[t, c] = sum over j of kernel[c, j] * rows[t - K + 1 + j, c] with zeros before the first row: a
/// depthwise convolution over one sequence. K is a handful: a pass over the rows for each tap.
/// @param rows [length, channels] @param kernel [channels, K]
torch::Tensor causal_convolution(const torch::Tensor& rows, const torch::Tensor& kernel);

}  // namespace espalier
