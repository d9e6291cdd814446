#pragma once

#include <stop_token>
#include <torch/types.h>

namespace espalier {

/// One sequence, heads outermost. Value head v uses key head v / (value_heads / key_heads).
struct DeltaRuleInput {
    torch::Tensor q;     ///< [key_heads, length, key_dim], of unit length times 1/sqrt(key_dim)
    torch::Tensor k;     ///< [key_heads, length, key_dim], of unit length
    torch::Tensor v;     ///< [value_heads, length, value_dim]
    torch::Tensor beta;  ///< [value_heads, length], in (0, 1): how far a value is replaced
    torch::Tensor log_decay;  ///< [value_heads, length], <= 0
};

/// Gated delta rule, arXiv:2412.06464, from an empty state S [key_dim, value_dim] of each head:
///
///     S = exp(log_decay) S;  S += k (beta (v - S^T k))^T;  out = S^T q      for every token
///
/// in chunks of 64 tokens. Within a chunk S is its first state, decayed, plus a sum of k u^T, so
/// that all u solve one triangular system. Differentiable. Differs from the recurrence by the
/// rounding of float32 only: decays within a chunk are differences of sums in float64.
/// @return [value_heads, length, value_dim]
torch::Tensor gated_delta_rule(const DeltaRuleInput& input, const std::stop_token& stop);

}  // namespace espalier
