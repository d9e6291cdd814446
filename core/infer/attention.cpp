#include "infer/attention.h"

#include <algorithm>
#include <vector>

#include "base/cancel.h"
#include "infer/visible_keys.h"
#include "kernels/gate_ops.h"
#include "kernels/matmul_bf16.h"
#include "kernels/matmul_float.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

/// Queries that share one pass over keys and values.
constexpr std::size_t kBlockTokens = 16;
/// The same where products turn keys and values before use, which many queries shall share.
constexpr std::size_t kBlockTokensOfPairs = 64;
/// Keys of a block start at a multiple of this, so that a key's vector lane never depends on the
/// batch.
constexpr std::size_t kKeyAlignment = 64;

/// Columns are multiplied in pairs.
std::size_t even(std::size_t count) { return (count + 1) / 2 * 2; }

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

struct Attention::Call {
    const AttentionWeights& weights;
    KeyValueCache& cache;
    const MixerInputs& inputs;
};

/// One key/value head and a run of tokens.
struct Attention::QueryBlock {
    std::size_t kv_head = 0;
    std::size_t first_token = 0;
    std::size_t last_token = 0;
};

/// Queries or keys of a token.
struct Attention::Heads {
    const RopeTable& rope;
    std::size_t token = 0;
    std::size_t stride = 0;  ///< from one head to the next
    std::span<const float> norm;
};

std::size_t Attention::query_stride() const noexcept {
    return static_cast<std::size_t>(config_.head_dim) * (config_.has_output_gate ? 2 : 1);
}

void Attention::project(const Compute& compute, const Call& call) {
    const Activations& x = call.inputs.x;
    const AttentionWeights& weights = call.weights;
    const auto one = [&](const WeightMatrix& matrix, std::span<const float> bias,
                         Scratch<float>& out) {
        const auto rows = out.take(x.num_rows() * matrix.view().rows);
        linear(compute, matrix.view(), x, rows);
        if (matrix.rows() == RowOrder::RotaryPairs) {
            split_rotary_pairs(rows, static_cast<std::size_t>(config_.head_dim));
        }
        add_bias(bias, rows);
        return rows;
    };
    one(weights.q, weights.q_bias, q_);
    one(weights.k, weights.k_bias, k_);
    const auto values = one(weights.v, weights.v_bias, v_);
    if (config_.clip_qkv > 0) kernels::clamp(values, static_cast<float>(config_.clip_qkv));
}

void Attention::norm_and_rotate(const Heads& heads, std::span<float> row) const {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    if (config_.qk_norm == QkNorm::Whole) kernels::rms_norm(row, heads.norm, eps_, row);
    for (std::size_t h = 0; h < row.size(); h += heads.stride) {
        const auto head = row.subspan(h, dim);
        if (config_.qk_norm == QkNorm::PerHead) kernels::rms_norm(head, heads.norm, eps_, head);
        if (config_.clip_qkv > 0) kernels::clamp(head, static_cast<float>(config_.clip_qkv));
        heads.rope.rotate(heads.token, head);
    }
}

void Attention::norm_and_rotate(const Compute& compute, const Call& call) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const std::size_t q_width = static_cast<std::size_t>(config_.num_heads) * query_stride();
    const std::size_t k_width = static_cast<std::size_t>(config_.num_kv_heads) * dim;
    const std::size_t num_tokens = call.inputs.x.num_rows();
    const auto q = q_.first(num_tokens * q_width);
    const auto k = k_.first(num_tokens * k_width);
    const RopeTable& rope = call.inputs.rope;
    compute.pool.parallel_for(num_tokens, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t token = begin; token < end; ++token) {
            norm_and_rotate({rope, token, query_stride(), call.weights.q_norm},
                            q.subspan(token * q_width, q_width));
            norm_and_rotate({rope, token, dim, call.weights.k_norm},
                            k.subspan(token * k_width, k_width));
        }
    });
}

void Attention::attend_block(const Call& call, const QueryBlock& block) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const auto num_heads = static_cast<std::size_t>(config_.num_heads);
    const std::size_t group = num_heads / static_cast<std::size_t>(config_.num_kv_heads);
    const auto position = static_cast<std::size_t>(call.inputs.position);
    const std::int64_t window = call.inputs.sliding_window;
    const std::size_t first_key =
        visible_keys(position + block.first_token, window).first / kKeyAlignment * kKeyAlignment;
    const std::size_t last_key = position + block.last_token;
    const std::size_t num_keys = last_key - first_key;

    // Vectors of this block: the group's query heads of each token; q_ seen as [tokens * heads,
    // query_stride()].
    std::vector<std::int32_t> queries;
    for (std::size_t t = block.first_token; t < block.last_token; ++t) {
        for (std::size_t h = 0; h < group; ++h) {
            queries.push_back(static_cast<std::int32_t>(t * num_heads + block.kv_head * group + h));
        }
    }
    thread_local Scratch<float> scratch;
    const auto scores = scratch.take(queries.size() * num_keys);
    const std::size_t last_query = static_cast<std::size_t>(queries.back()) + 1;
    kernels::matmul_float(call.cache.keys(block.kv_head, first_key, last_key), {0, num_keys},
                          {.values = q_.first(last_query * query_stride()),
                           .count = queries.size(),
                           .stride = query_stride(),
                           .picked = queries},
                          {.values = scores, .stride = num_keys});
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const std::size_t token = block.first_token + i / group;
        const std::size_t head = block.kv_head * group + i % group;
        const KeyRange seen = visible_keys(position + token, window);
        mask_and_softmax(scores.subspan(i * num_keys, num_keys),
                         {.begin = seen.first - first_key,
                          .end = seen.last - first_key,
                          .scale = static_cast<float>(config_.scale),
                          .sink = call.weights.sinks.empty() ? kNoSink : call.weights.sinks[head]});
    }
    // Out rows lie group heads apart in [tokens, heads, dim]: one product a token.
    for (std::size_t t = block.first_token; t < block.last_token; ++t) {
        const std::size_t row = t * num_heads + block.kv_head * group;
        kernels::matmul_float(
            call.cache.values(block.kv_head, first_key, last_key), {0, dim},
            {.values = scores.subspan((t - block.first_token) * group * num_keys, group * num_keys),
             .count = group,
             .stride = num_keys,
             .picked = {}},
            {.values = mixed_.first((row + group) * dim).subspan(row * dim), .stride = dim});
    }
}

void Attention::round_to_pairs(const Compute& compute, const Call& call) {
    const std::size_t num_tokens = call.inputs.x.num_rows();
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const auto num_kv_heads = static_cast<std::size_t>(config_.num_kv_heads);
    const std::size_t num_keys = static_cast<std::size_t>(call.inputs.position) + num_tokens;
    const std::size_t stride = even(num_keys);
    const std::size_t q_size =
        num_tokens * static_cast<std::size_t>(config_.num_heads) * query_stride();
    const auto q = q_.first(q_size);
    const auto q_pairs = q_pairs_.take(q_size);
    const auto keys = key_pairs_.take(num_kv_heads * stride * dim);
    const auto values = value_pairs_.take(num_kv_heads * dim * stride);
    const std::size_t q_width = q_size / num_tokens;
    compute.pool.parallel_for(num_tokens, 64, [&](std::size_t begin, std::size_t end) {
        kernels::round_to_bf16(q.subspan(begin * q_width, (end - begin) * q_width),
                               q_pairs.subspan(begin * q_width, (end - begin) * q_width));
    });
    compute.pool.parallel_for(num_kv_heads, 1, [&](std::size_t begin, std::size_t end) {
        const auto round = [](const kernels::MatrixView& from, std::span<std::uint16_t> to,
                              std::size_t to_stride) {
            for (std::size_t r = 0; r < from.rows; ++r) {
                const auto row = to.subspan(r * to_stride, to_stride);
                kernels::round_to_bf16({reinterpret_cast<const float*>(from.row(r)), from.columns},
                                       row);
                std::fill(row.begin() + static_cast<std::ptrdiff_t>(from.columns), row.end(),
                          std::uint16_t{0});
            }
        };
        for (std::size_t h = begin; h < end; ++h) {
            const auto own_keys = keys.subspan(h * stride * dim, stride * dim);
            round(call.cache.keys(h, 0, num_keys), own_keys, dim);
            const auto padding = own_keys.subspan(num_keys * dim);
            std::fill(padding.begin(), padding.end(), std::uint16_t{0});
            round(call.cache.values(h, 0, num_keys), values.subspan(h * dim * stride, dim * stride),
                  stride);
        }
    });
}

void Attention::attend_pairs(const Call& call, const QueryBlock& block) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const auto num_heads = static_cast<std::size_t>(config_.num_heads);
    const std::size_t group = num_heads / static_cast<std::size_t>(config_.num_kv_heads);
    const auto position = static_cast<std::size_t>(call.inputs.position);
    const std::int64_t window = call.inputs.sliding_window;
    const std::size_t first_key =
        visible_keys(position + block.first_token, window).first / kKeyAlignment * kKeyAlignment;
    const std::size_t num_keys = even(position + block.last_token) - first_key;
    const std::size_t stride = even(position + call.inputs.x.num_rows());
    const std::size_t count = block.last_token - block.first_token;
    const std::size_t kv = block.kv_head;
    const kernels::MatrixView keys{
        .dtype = DType::BF16,
        .bytes = std::as_bytes(
            key_pairs_.first((kv + 1) * stride * dim).subspan((kv * stride + first_key) * dim)),
        .rows = num_keys,
        .columns = dim,
        .row_stride = dim * sizeof(std::uint16_t)};
    const kernels::MatrixView values{
        .dtype = DType::BF16,
        .bytes = std::as_bytes(
            value_pairs_.first((kv + 1) * dim * stride).subspan(kv * dim * stride + first_key)),
        .rows = dim,
        .columns = num_keys,
        .row_stride = stride * sizeof(std::uint16_t)};
    thread_local Scratch<float> scratch;
    thread_local Scratch<std::uint16_t> pair_scratch;
    const auto scores = scratch.take(count * num_keys);
    const auto shares = pair_scratch.take(count * num_keys);
    const std::size_t row = num_heads * query_stride();
    const auto queries = q_pairs_.first(block.last_token * row);
    const auto mixed = mixed_.first(block.last_token * num_heads * dim);
    for (std::size_t head = kv * group; head < (kv + 1) * group; ++head) {
        kernels::matmul_bf16(
            keys, {0, num_keys},
            {.values = queries.subspan(block.first_token * row + head * query_stride()),
             .count = count,
             .stride = row,
             .picked = {}},
            {.values = scores, .stride = num_keys});
        for (std::size_t i = 0; i < count; ++i) {
            const KeyRange seen = visible_keys(position + block.first_token + i, window);
            mask_and_softmax(
                scores.subspan(i * num_keys, num_keys),
                {.begin = seen.first - first_key,
                 .end = seen.last - first_key,
                 .scale = static_cast<float>(config_.scale),
                 .sink = call.weights.sinks.empty() ? kNoSink : call.weights.sinks[head]});
        }
        kernels::round_to_bf16(scores, shares);
        kernels::matmul_bf16(values, {0, dim},
                             {.values = shares, .count = count, .stride = num_keys, .picked = {}},
                             {.values = mixed.subspan((block.first_token * num_heads + head) * dim),
                              .stride = num_heads * dim});
    }
}

void Attention::attend(const Compute& compute, const Call& call) {
    const std::size_t num_tokens = call.inputs.x.num_rows();
    const auto num_kv_heads = static_cast<std::size_t>(config_.num_kv_heads);
    const bool in_pairs = compute.arithmetic == Arithmetic::BFloat16 &&
                          kernels::has_matmul_bf16() && config_.head_dim % 2 == 0;
    const std::size_t block_tokens = in_pairs ? kBlockTokensOfPairs : kBlockTokens;
    const std::size_t blocks = (num_tokens + block_tokens - 1) / block_tokens;
    if (in_pairs) round_to_pairs(compute, call);
    mixed_.take(num_tokens * static_cast<std::size_t>(config_.num_heads * config_.head_dim));
    compute.pool.parallel_for(blocks * num_kv_heads, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const std::size_t first = i / num_kv_heads * block_tokens;
            const QueryBlock block{.kv_head = i % num_kv_heads,
                                   .first_token = first,
                                   .last_token = std::min(first + block_tokens, num_tokens)};
            in_pairs ? attend_pairs(call, block) : attend_block(call, block);
        }
    });
}

void Attention::apply_gate(const Compute& compute, std::size_t num_tokens) {
    const auto dim = static_cast<std::size_t>(config_.head_dim);
    const std::size_t num_heads = num_tokens * static_cast<std::size_t>(config_.num_heads);
    const std::size_t stride = query_stride();
    const auto rows = q_.first(num_heads * stride);
    const auto mixed = mixed_.first(num_heads * dim);
    compute.pool.parallel_for(num_heads, 256, [&](std::size_t begin, std::size_t end) {
        for (std::size_t h = begin; h < end; ++h) {
            kernels::sigmoid_mul(rows.subspan(h * stride + dim, dim), mixed.subspan(h * dim, dim));
        }
    });
}

void Attention::forward(const Compute& compute, const AttentionWeights& weights,
                        KeyValueCache& cache, const MixerInputs& inputs, std::span<float> out) {
    const Call call{weights, cache, inputs};
    inputs.show({TensorRole::AttentionQ, TensorRole::AttentionK, TensorRole::AttentionV},
                inputs.x.values());
    project(compute, call);
    norm_and_rotate(compute, call);
    const std::size_t num_tokens = inputs.x.num_rows();
    const auto kv_width = static_cast<std::size_t>(config_.num_kv_heads * config_.head_dim);
    cache.write(static_cast<std::size_t>(inputs.position), k_.first(num_tokens * kv_width),
                v_.first(num_tokens * kv_width));
    attend(compute, call);
    if (config_.has_output_gate) apply_gate(compute, num_tokens);
    const auto width = static_cast<std::size_t>(config_.num_heads * config_.head_dim);
    mixed_rows_.assign(compute, mixed_.first(num_tokens * width), width);
    inputs.show({TensorRole::AttentionOutput}, mixed_rows_.values());
    linear(compute, weights.output.view(), mixed_rows_, out);
    add_bias(weights.output_bias, out);
}

}  // namespace espalier
