#include "nn/attention.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/cancel.h"
#include "nn/norms.h"

namespace espalier {
namespace {

constexpr std::int64_t kQueryBlock = 256;

/// Queries, keys and values of one sequence, heads outermost.
struct Heads {
    torch::Tensor q;  ///< [kv_heads, group, length, head_dim], scaled
    torch::Tensor k;  ///< [kv_heads, length, head_dim]
    torch::Tensor v;
};

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

/// @return [queries, heads * head_dim]
torch::Tensor attend_block(const Heads& heads, const QueryBlock& block, std::int64_t window) {
    const std::int64_t kv_heads = heads.q.size(0);
    const std::int64_t group = heads.q.size(1);
    const std::int64_t head_dim = heads.q.size(3);
    const std::int64_t queries = block.end - block.begin;
    const std::int64_t keys = block.end - block.first_key;
    const torch::Tensor q =
        heads.q.narrow(2, block.begin, queries).reshape({kv_heads, group * queries, head_dim});
    const torch::Tensor k = heads.k.narrow(1, block.first_key, keys);
    const torch::Tensor v = heads.v.narrow(1, block.first_key, keys);

    torch::Tensor scores = torch::bmm(q, k.transpose(1, 2)).view({kv_heads, group, queries, keys});
    scores =
        scores.masked_fill_(hidden_keys(block, window), -std::numeric_limits<float>::infinity());
    const torch::Tensor probs = torch::softmax(scores, -1).view({kv_heads, group * queries, keys});
    return torch::bmm(probs, v)
        .view({kv_heads, group, queries, head_dim})
        .permute({2, 0, 1, 3})
        .reshape({queries, kv_heads * group * head_dim});
}

torch::Tensor attend_sequence(const MixerContext& context, const Heads& heads) {
    const std::int64_t length = heads.k.size(1);
    const std::int64_t window = context.layer.sliding_window;
    std::vector<torch::Tensor> blocks;
    for (std::int64_t begin = 0; begin < length; begin += kQueryBlock) {
        throw_if_stopped(context.stop);
        const QueryBlock block{
            .begin = begin,
            .end = std::min(begin + kQueryBlock, length),
            .first_key = window > 0 ? std::max<std::int64_t>(0, begin - window + 1) : 0};
        blocks.push_back(attend_block(heads, block, window));
    }
    return blocks.size() == 1 ? blocks.front() : torch::cat(blocks, 0);
}

/// @param q [length, heads, head_dim], k, v [length, kv_heads, head_dim]
Heads prepare_heads(const MixerContext& context, torch::Tensor q, torch::Tensor k,
                    torch::Tensor v) {
    const AttentionConfig& config = context.config.attention;
    const std::int64_t group = config.num_heads / config.num_kv_heads;
    q = context.rotary.apply(q) * config.scale;
    k = context.rotary.apply(k);
    return {.q = q.view({-1, config.num_kv_heads, group, config.head_dim}).permute({1, 2, 0, 3}),
            .k = k.transpose(0, 1).contiguous(),
            .v = v.transpose(0, 1).contiguous()};
}

}  // namespace

torch::Tensor attention(const MixerContext& context, const torch::Tensor& rows) {
    const AttentionConfig& config = context.config.attention;
    const AttentionWeights& weights = context.weights;
    if (context.tap != nullptr) {
        constexpr std::array kInputs{TensorRole::AttentionQ, TensorRole::AttentionK,
                                     TensorRole::AttentionV};
        context.tap->on_input(kInputs, rows);
    }
    torch::Tensor q = weights.q(rows).view({-1, config.num_heads, config.head_dim});
    torch::Tensor k = weights.k(rows).view({-1, config.num_kv_heads, config.head_dim});
    const torch::Tensor v = weights.v(rows).view({-1, config.num_kv_heads, config.head_dim});
    if (config.qk_norm != QkNorm::None) {
        q = rms_norm(q, weights.q_norm, context.config.rms_norm_eps);
        k = rms_norm(k, weights.k_norm, context.config.rms_norm_eps);
    }
    std::vector<torch::Tensor> mixed;
    std::int64_t begin = 0;
    for (const std::int64_t length : context.sequences.lengths) {
        mixed.push_back(attend_sequence(
            context, prepare_heads(context, q.narrow(0, begin, length), k.narrow(0, begin, length),
                                   v.narrow(0, begin, length))));
        begin += length;
    }
    const torch::Tensor heads = mixed.size() == 1 ? mixed.front() : torch::cat(mixed, 0);
    if (context.tap != nullptr) {
        constexpr std::array kInputs{TensorRole::AttentionOutput};
        context.tap->on_input(kInputs, heads);
    }
    return weights.output(heads);
}

}  // namespace espalier
