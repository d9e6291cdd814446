#pragma once

#include <torch/types.h>

namespace espalier {

/// x * weight / sqrt(mean(x^2) + epsilon) over the last dimension, in float32. RMSNorm,
/// arXiv:1910.07467.
inline torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon) {
    return x * torch::rsqrt(x.square().mean(-1, true) + epsilon) * weight;
}

}  // namespace espalier
