#pragma once

#include <span>

namespace espalier::kernels {

/// Sums over a row of logits, taken from its largest so that nothing overflows. Terms are float,
/// their sums double: relative error about 1e-7 of the sum of magnitudes.

/// sum of exp(x[i] - largest); x is not empty.
double sum_exp(std::span<const float> x, float largest);

/// sum of weights[i] * (x[i] - largest).
double weighted_sum(std::span<const float> weights, std::span<const float> x, float largest);

}  // namespace espalier::kernels
