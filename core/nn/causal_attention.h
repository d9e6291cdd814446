#pragma once

#include <cstdint>
#include <stop_token>
#include <torch/types.h>

namespace espalier {

/// Queries, keys and values of one sequence, heads outermost.
struct AttentionHeads {
    torch::Tensor q;  ///< [kv_heads, group, length, dim], scaled
    torch::Tensor k;  ///< [kv_heads, length, dim]
    torch::Tensor v;  ///< [kv_heads, length, value_dim]
};

struct AttentionRules {
    std::int64_t window = 0;  ///< keys seen, the query's own included; 0 = all
    torch::Tensor sinks;  ///< [kv_heads, group] or undefined: one more logit joins each softmax,
                          ///< and its share is dropped
};

/// Causal attention, softmax in float32. Queries are taken in blocks, so that scores need heads *
/// 256 * length floats, never heads * length^2.
/// @return [length, kv_heads * group * value_dim]
torch::Tensor causal_attention(const AttentionHeads& heads, const AttentionRules& rules,
                               const std::stop_token& stop);

}  // namespace espalier
