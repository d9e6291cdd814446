#include "infer/attention.h"

#include <algorithm>
#include <vector>

#include "base/cancel.h"
#include "kernels/matmul_float.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

/// Queries that share one pass over keys and values.
constexpr std::size_t kBlockTokens = 16;
/// Keys of a block start at a multiple of this, so that a key's vector lane never depends on the
/// batch.
constexpr std::size_t kKeyAlignment = 64;

struct KeyRange {
    std::size_t first = 0;
    std::size_t last = 0;
};

/// Keys that the query at `position` sees: itself and those before it, inside the window.
KeyRange visible_keys(std::size_t position, std::int64_t window) {
    const auto width = static_cast<std::size_t>(window);
    const std::size_t first = width == 0 || position < width ? 0 : position + 1 - width;
    return {first, position + 1};
}

/// Scores of one query over the block's keys into probabilities; unseen keys get 0.
void mask_and_softmax(std::span<float> scores, KeyRange seen, std::size_t first_key, float scale) {
    const std::size_t begin = seen.first - first_key;
    const std::size_t end = seen.last - first_key;
    const auto visible = scores.subspan(begin, end - begin);
    for (float& score : visible) score *= scale;
    kernels::softmax(visible);
    std::fill_n(scores.begin(), begin, 0.0F);
    std::fill(scores.begin() + static_cast<std::ptrdiff_t>(end), scores.end(), 0.0F);
}

/// Rows of heads whose elements came out as rotary pairs, side by side, into half style.
void split_rotary_pairs(std::span<float> rows, std::size_t head_dim) {
    std::vector<float> pairs(head_dim);
    const std::size_t half = head_dim / 2;
    for (std::size_t head = 0; head < rows.size(); head += head_dim) {
        const auto values = rows.subspan(head, head_dim);
        std::copy(values.begin(), values.end(), pairs.begin());
        for (std::size_t i = 0; i < half; ++i) {
            values[i] = pairs[2 * i];
            values[half + i] = pairs[2 * i + 1];
        }
    }
}

}  // namespace

/// One key/value head and a run of tokens.
struct Attention::QueryBlock {
    std::size_t kv_head = 0;
    std::size_t first_token = 0;
    std::size_t last_token = 0;
};

void Attention::project(const Compute& compute, const Inputs& inputs) {
    const std::size_t num_tokens = inputs.x.num_rows();
    const AttentionWeights& weights = inputs.weights;
    const auto one = [&](const WeightMatrix& matrix, std::span<const float> bias,
                         Scratch<float>& out) {
        const auto rows = out.take(num_tokens * matrix.view().rows);
        linear(compute, matrix.view(), inputs.x, rows);
        if (matrix.rows() == RowOrder::RotaryPairs) {
            split_rotary_pairs(rows, static_cast<std::size_t>(config_.head_dim));
        }
        add_bias(bias, rows);
    };
    one(weights.q, weights.q_bias, q_);
    one(weights.k, weights.k_bias, k_);
    one(weights.v, weights.v_bias, v_);
}

void Attention::norm_and_rotate(const Compute& compute, const Inputs& inputs) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const auto eps = static_cast<float>(eps_);
    const auto heads = [&](Scratch<float>& rows, std::int64_t num_heads, std::size_t token,
                           std::span<const float> norm) {
        const std::size_t width = static_cast<std::size_t>(num_heads) * dim;
        const auto row = rows.first((token + 1) * width).subspan(token * width);
        for (std::size_t h = 0; h < width; h += dim) {
            const auto head = row.subspan(h, dim);
            if (config_.qk_norm != QkNorm::None) kernels::rms_norm(head, norm, eps, head);
            kernels::rope(head, inputs.rope.cosines(token), inputs.rope.sines(token));
        }
    };
    compute.pool.parallel_for(inputs.x.num_rows(), 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t token = begin; token < end; ++token) {
            heads(q_, config_.num_heads, token, inputs.weights.q_norm);
            heads(k_, config_.num_kv_heads, token, inputs.weights.k_norm);
        }
    });
}

void Attention::attend_block(const Inputs& inputs, const QueryBlock& block) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const auto num_heads = static_cast<std::size_t>(config_.num_heads);
    const std::size_t group = num_heads / static_cast<std::size_t>(config_.num_kv_heads);
    const auto position = static_cast<std::size_t>(inputs.position);
    const std::size_t first_key =
        visible_keys(position + block.first_token, inputs.sliding_window).first / kKeyAlignment *
        kKeyAlignment;
    const std::size_t last_key = position + block.last_token;
    const std::size_t num_keys = last_key - first_key;

    // Vectors of this block: the group's query heads of each token; q_ seen as [tokens * heads,
    // dim].
    std::vector<std::int32_t> queries;
    for (std::size_t t = block.first_token; t < block.last_token; ++t) {
        for (std::size_t h = 0; h < group; ++h) {
            queries.push_back(static_cast<std::int32_t>(t * num_heads + block.kv_head * group + h));
        }
    }
    thread_local Scratch<float> scratch;
    const auto scores = scratch.take(queries.size() * num_keys);
    kernels::matmul_float(inputs.cache.keys(block.kv_head, first_key, last_key), {0, num_keys},
                          {.values = q_.first((static_cast<std::size_t>(queries.back()) + 1) * dim),
                           .count = queries.size(),
                           .stride = dim,
                           .picked = queries},
                          {.values = scores, .stride = num_keys});
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const std::size_t token = block.first_token + i / group;
        mask_and_softmax(scores.subspan(i * num_keys, num_keys),
                         visible_keys(position + token, inputs.sliding_window), first_key,
                         static_cast<float>(config_.scale));
    }
    // Out rows lie group heads apart in [tokens, heads, dim]: one product a token.
    for (std::size_t t = block.first_token; t < block.last_token; ++t) {
        const std::size_t row = t * num_heads + block.kv_head * group;
        kernels::matmul_float(
            inputs.cache.values(block.kv_head, first_key, last_key), {0, dim},
            {.values = scores.subspan((t - block.first_token) * group * num_keys, group * num_keys),
             .count = group,
             .stride = num_keys,
             .picked = {}},
            {.values = mixed_.first((row + group) * dim).subspan(row * dim), .stride = dim});
    }
}

void Attention::attend(const Compute& compute, const Inputs& inputs) {
    const std::size_t num_tokens = inputs.x.num_rows();
    const auto num_kv_heads = static_cast<std::size_t>(config_.num_kv_heads);
    const std::size_t blocks = (num_tokens + kBlockTokens - 1) / kBlockTokens;
    mixed_.take(num_tokens * static_cast<std::size_t>(config_.num_heads * config_.head_dim));
    compute.pool.parallel_for(blocks * num_kv_heads, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const std::size_t first = i / num_kv_heads * kBlockTokens;
            attend_block(inputs, {.kv_head = i % num_kv_heads,
                                  .first_token = first,
                                  .last_token = std::min(first + kBlockTokens, num_tokens)});
        }
    });
}

void Attention::forward(const Compute& compute, const Inputs& inputs, std::span<float> out) {
    project(compute, inputs);
    norm_and_rotate(compute, inputs);
    const std::size_t num_tokens = inputs.x.num_rows();
    const auto kv_width = static_cast<std::size_t>(config_.num_kv_heads * config_.head_dim);
    inputs.cache.write(static_cast<std::size_t>(inputs.position), k_.first(num_tokens * kv_width),
                       v_.first(num_tokens * kv_width));
    attend(compute, inputs);
    const auto width = static_cast<std::size_t>(config_.num_heads * config_.head_dim);
    mixed_rows_.assign(compute, mixed_.first(num_tokens * width), width);
    linear(compute, inputs.weights.output.view(), mixed_rows_, out);
    add_bias(inputs.weights.output_bias, out);
}

}  // namespace espalier
