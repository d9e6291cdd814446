#include "nn/causal_attention.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/cancel.h"

namespace espalier {
namespace {

constexpr std::int64_t kQueryBlock = 256;

/// Rows of queries [begin, end) and the keys [first_key, end) that they may see.
struct QueryBlock {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t first_key = 0;
};

/// True where a query must not look: the future, and what lies behind the window.
torch::Tensor hidden_keys(const QueryBlock& block, std::int64_t window) {
    const torch::Tensor query = torch::arange(block.begin, block.end).unsqueeze(1);
    const torch::Tensor key = torch::arange(block.first_key, block.end).unsqueeze(0);
    torch::Tensor hidden = key > query;
    if (window > 0) hidden = hidden.logical_or(query - key >= window);
    return hidden;
}

/// @param scores [kv_heads, group, queries, keys] @return the same shape
torch::Tensor probabilities(const torch::Tensor& scores, const torch::Tensor& sinks) {
    if (!sinks.defined()) return torch::softmax(scores, -1);
    const torch::Tensor sink = sinks.unsqueeze(-1).unsqueeze(-1).expand(
        {scores.size(0), scores.size(1), scores.size(2), 1});
    return torch::softmax(torch::cat({scores, sink}, -1), -1).narrow(-1, 0, scores.size(3));
}

/// @return [queries, heads * value_dim]
torch::Tensor attend_block(const AttentionHeads& heads, const AttentionRules& rules,
                           const QueryBlock& block) {
    const std::int64_t kv_heads = heads.q.size(0);
    const std::int64_t group = heads.q.size(1);
    const std::int64_t queries = block.end - block.begin;
    const std::int64_t keys = block.end - block.first_key;
    const torch::Tensor q = heads.q.narrow(2, block.begin, queries)
                                .reshape({kv_heads, group * queries, heads.q.size(3)});
    const torch::Tensor k = heads.k.narrow(1, block.first_key, keys);
    const torch::Tensor v = heads.v.narrow(1, block.first_key, keys);

    torch::Tensor scores = torch::bmm(q, k.transpose(1, 2)).view({kv_heads, group, queries, keys});
    scores = scores.masked_fill_(hidden_keys(block, rules.window),
                                 -std::numeric_limits<float>::infinity());
    const torch::Tensor probs =
        probabilities(scores, rules.sinks).reshape({kv_heads, group * queries, keys});
    return torch::bmm(probs, v)
        .view({kv_heads, group, queries, v.size(2)})
        .permute({2, 0, 1, 3})
        .reshape({queries, kv_heads * group * v.size(2)});
}

}  // namespace

torch::Tensor causal_attention(const AttentionHeads& heads, const AttentionRules& rules,
                               const std::stop_token& stop) {
    const std::int64_t length = heads.k.size(1);
    std::vector<torch::Tensor> blocks;
    for (std::int64_t begin = 0; begin < length; begin += kQueryBlock) {
        throw_if_stopped(stop);
        const std::int64_t first_key =
            rules.window > 0 ? std::max<std::int64_t>(0, begin - rules.window + 1) : 0;
        blocks.push_back(attend_block(heads, rules,
                                      {.begin = begin,
                                       .end = std::min(begin + kQueryBlock, length),
                                       .first_key = first_key}));
    }
    return blocks.size() == 1 ? blocks.front() : torch::cat(blocks, 0);
}

}  // namespace espalier
