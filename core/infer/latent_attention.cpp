#include "infer/latent_attention.h"

#include <algorithm>
#include <vector>

#include "base/cancel.h"
#include "infer/visible_keys.h"
#include "kernels/matmul_float.h"
#include "kernels/vector_ops.h"
#include "kernels/weighted_rows.h"

namespace espalier {
namespace {

/// Heads that share one pass over the compressed rows: what fills the registers of a product.
constexpr std::size_t kAbsorbedHeads = 3;
/// Fewer tokens are never expanded.
constexpr std::size_t kExpandedTokens = 32;
/// A key matrix that a query takes into itself may have to be decoded for it: so many times the
/// work of its multiplications.
constexpr std::size_t kAbsorbingCost = 4;
/// Queries that share one pass over expanded keys.
constexpr std::size_t kExpandedQueries = 16;
/// Keys up to which a head may be expanded: one of DeepSeek V3 then takes 20 MB of each thread.
constexpr std::size_t kMaxExpandedKeys = 16384;
/// The norms inside MLA have an epsilon of their own, whatever the config says of the others.
constexpr float kLatentNormEpsilon = 1e-6F;

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

struct LatentAttention::Call {
    const LatentWeights& weights;
    LatentCache& cache;
    const MixerInputs& inputs;

    std::size_t num_tokens() const noexcept { return inputs.x.num_rows(); }
    std::size_t num_keys() const noexcept {
        return static_cast<std::size_t>(inputs.position) + num_tokens();
    }
};

/// Some heads of one token.
struct LatentAttention::HeadBlock {
    std::size_t token = 0;
    std::size_t first_head = 0;
    std::size_t last_head = 0;
};

std::size_t LatentAttention::num_heads() const noexcept { return size(config_.num_heads); }

std::size_t LatentAttention::query_dim() const noexcept {
    return size(config_.latent.nope_dim + config_.latent.rope_dim);
}

bool LatentAttention::expands(std::size_t num_tokens, std::size_t num_keys) const noexcept {
    if (num_tokens < kExpandedTokens || num_keys > kMaxExpandedKeys) return false;
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t nope = size(config_.latent.nope_dim);
    const std::size_t dims = nope + size(config_.latent.value_dim);
    // Multiplications of a head, apart from what both ways do.
    const std::size_t making = num_keys * dims * rank + num_tokens * num_keys * dims;
    const std::size_t absorbing = num_tokens * (num_keys * 2 * rank + kAbsorbingCost * nope * rank);
    return making <= absorbing;
}

void LatentAttention::make_queries(const Compute& compute, const Call& call) {
    const LatentWeights& weights = call.weights;
    const std::size_t num_tokens = call.num_tokens();
    call.inputs.show({weights.q_down.is_empty() ? TensorRole::LatentQ : TensorRole::LatentQDown,
                      TensorRole::LatentKvDown},
                     call.inputs.x.values());
    const auto q = q_.take(num_tokens * num_heads() * query_dim());
    if (weights.q_down.is_empty()) {
        linear(compute, weights.q.view(), call.inputs.x, q);
    } else {
        const std::size_t rank = weights.q_down.view().rows;
        const auto down = q_down_.take(num_tokens * rank);
        linear(compute, weights.q_down.view(), call.inputs.x, down);
        add_bias(weights.q_down_bias, down);
        for (std::size_t t = 0; t < num_tokens; ++t) {
            const auto row = down.subspan(t * rank, rank);
            kernels::rms_norm(row, weights.q_norm, kLatentNormEpsilon, row);
        }
        q_rows_.assign(compute, down, rank);
        call.inputs.show({TensorRole::LatentQUp}, down);
        linear(compute, weights.q_up.view(), q_rows_, q);
    }
    compute.pool.parallel_for(num_tokens, 4, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin * num_heads(); i < end * num_heads(); ++i) {
            call.inputs.rope.rotate(i / num_heads(),
                                    q.subspan(i * query_dim() + size(config_.latent.nope_dim),
                                              size(config_.latent.rope_dim)));
        }
    });
}

void LatentAttention::make_rows(const Compute& compute, const Call& call) {
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t width = rank + size(config_.latent.rope_dim);
    const auto rows = rows_.take(call.num_tokens() * width);
    linear(compute, call.weights.kv_down.view(), call.inputs.x, rows);
    add_bias(call.weights.kv_down_bias, rows);
    for (std::size_t t = 0; t < call.num_tokens(); ++t) {
        const auto row = rows.subspan(t * width, width);
        kernels::rms_norm(row.first(rank), call.weights.kv_norm, kLatentNormEpsilon,
                          row.first(rank));
        call.inputs.rope.rotate(t, row.subspan(rank));
    }
    call.cache.write(size(call.inputs.position), rows);
    if (call.inputs.observer != nullptr) show_latents(call, rows);
}

/// What the matrices from the compressed rows to keys and values are multiplied with, whether or
/// not this pass does so.
void LatentAttention::show_latents(const Call& call, std::span<const float> rows) {
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t width = rank + size(config_.latent.rope_dim);
    const std::size_t nope = size(config_.latent.nope_dim);
    const std::size_t heads = call.num_tokens() * num_heads();
    std::vector<float> shown(call.num_tokens() * rank);
    for (std::size_t t = 0; t < call.num_tokens(); ++t) {
        std::copy_n(rows.data() + t * width, rank, shown.data() + t * rank);
    }
    call.inputs.show({TensorRole::LatentValueUp}, shown);
    shown.resize(heads * nope);
    for (std::size_t h = 0; h < heads; ++h) {
        std::copy_n(q_.first((h + 1) * query_dim()).data() + h * query_dim(), nope,
                    shown.data() + h * nope);
    }
    call.inputs.show({TensorRole::LatentKeyUp}, shown);
}

void LatentAttention::absorb_heads(const Call& call, const HeadBlock& block) {
    const std::size_t nope = size(config_.latent.nope_dim);
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t width = rank + size(config_.latent.rope_dim);
    const std::size_t last_key = size(call.inputs.position) + block.token + 1;
    const std::size_t count = block.last_head - block.first_head;
    thread_local Scratch<float> query_scratch;
    thread_local Scratch<float> score_scratch;
    const auto queries = query_scratch.take(count * width);
    const auto scores = score_scratch.take(count * last_key);
    const auto all_queries = q_.first(call.num_tokens() * num_heads() * query_dim());
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t head = block.first_head + i;
        const auto query =
            all_queries.subspan((block.token * num_heads() + head) * query_dim(), query_dim());
        const auto absorbed = queries.subspan(i * width, width);
        kernels::weighted_rows(call.weights.key_up.view(), {head * nope, (head + 1) * nope},
                               {.values = query, .count = 1, .stride = nope, .picked = {}},
                               {.values = absorbed, .stride = rank});
        std::copy(query.begin() + static_cast<std::ptrdiff_t>(nope), query.end(),
                  absorbed.begin() + static_cast<std::ptrdiff_t>(rank));
    }
    const auto past = call.cache.rows(last_key);
    kernels::matmul_float(kernels::float_matrix(past, last_key, width, width), {0, last_key},
                          {.values = queries, .count = count, .stride = width, .picked = {}},
                          {.values = scores, .stride = last_key});
    for (std::size_t i = 0; i < count; ++i) {
        mask_and_softmax(scores.subspan(i * last_key, last_key),
                         {.begin = 0, .end = last_key, .scale = static_cast<float>(config_.scale)});
    }
    const auto sums = sums_.first(call.num_tokens() * num_heads() * rank);
    const std::size_t first_row = block.token * num_heads() + block.first_head;
    kernels::weighted_rows(
        kernels::float_matrix(past, last_key, rank, width), {0, last_key},
        {.values = scores, .count = count, .stride = last_key, .picked = {}},
        {.values = sums.subspan(first_row * rank, count * rank), .stride = rank});
}

void LatentAttention::attend_absorbed(const Compute& compute, const Call& call) {
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t value = size(config_.latent.value_dim);
    const std::size_t num_rows = call.num_tokens() * num_heads();
    const auto sums = sums_.take(num_rows * rank);
    const std::size_t blocks = (num_heads() + kAbsorbedHeads - 1) / kAbsorbedHeads;
    const auto each_block = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            throw_if_stopped(compute.stop);
            const std::size_t first = i % blocks * kAbsorbedHeads;
            absorb_heads(call, {.token = i / blocks,
                                .first_head = first,
                                .last_head = std::min(first + kAbsorbedHeads, num_heads())});
        }
    };
    compute.pool.parallel_for(call.num_tokens() * blocks, 1, each_block);

    latent_rows_.assign(compute, sums, rank);
    const auto mixed = mixed_.take(num_rows * value);
    compute.pool.parallel_for(num_heads(), 1, [&](std::size_t begin, std::size_t end) {
        std::vector<std::int32_t> picked(call.num_tokens());
        for (std::size_t head = begin; head < end; ++head) {
            for (std::size_t t = 0; t < picked.size(); ++t) {
                picked[t] = static_cast<std::int32_t>(t * num_heads() + head);
            }
            latent_rows_.multiply(call.weights.value_up.view(), {head * value, (head + 1) * value},
                                  picked, {.values = mixed, .stride = num_heads() * value});
        }
    });
}

void LatentAttention::expand_head(const Compute& compute, const Call& call, std::size_t head) {
    const std::size_t nope = size(config_.latent.nope_dim);
    const std::size_t rope = size(config_.latent.rope_dim);
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t value = size(config_.latent.value_dim);
    const std::size_t num_keys = call.num_keys();
    const std::size_t dim = query_dim();
    thread_local Scratch<float> key_scratch;
    thread_local Scratch<float> value_scratch;
    thread_local Scratch<float> score_scratch;
    // Products land at the column of their weight row: each buffer begins where head 0 would.
    const auto keys = key_scratch.take(head * nope + num_keys * dim);
    const auto values = value_scratch.take(head * value + num_keys * value);
    latent_rows_.multiply(call.weights.key_up.view(), {head * nope, (head + 1) * nope}, {},
                          {.values = keys, .stride = dim});
    latent_rows_.multiply(call.weights.value_up.view(), {head * value, (head + 1) * value}, {},
                          {.values = values, .stride = value});
    const auto own_keys = keys.subspan(head * nope);
    const auto own_values = values.subspan(head * value);
    const auto past = call.cache.rows(num_keys);
    for (std::size_t k = 0; k < num_keys; ++k) {
        std::copy_n(past.data() + k * (rank + rope) + rank, rope, own_keys.data() + k * dim + nope);
    }
    const auto position = size(call.inputs.position);
    const std::size_t stride = num_heads() * dim;
    const auto queries = q_.first(call.num_tokens() * stride).subspan(head * dim);
    const auto mixed = mixed_.first(call.num_tokens() * num_heads() * value).subspan(head * value);
    for (std::size_t t = 0; t < call.num_tokens(); t += kExpandedQueries) {
        throw_if_stopped(compute.stop);
        const std::size_t count = std::min(kExpandedQueries, call.num_tokens() - t);
        const std::size_t last_key = position + t + count;
        const auto scores = score_scratch.take(count * last_key);
        kernels::matmul_float(
            kernels::float_matrix(own_keys, last_key, dim, dim), {0, last_key},
            {.values = queries.subspan(t * stride), .count = count, .stride = stride, .picked = {}},
            {.values = scores, .stride = last_key});
        for (std::size_t i = 0; i < count; ++i) {
            mask_and_softmax(scores.subspan(i * last_key, last_key),
                             {.begin = 0,
                              .end = position + t + i + 1,
                              .scale = static_cast<float>(config_.scale)});
        }
        kernels::weighted_rows(
            kernels::float_matrix(own_values, last_key, value, value), {0, last_key},
            {.values = scores, .count = count, .stride = last_key, .picked = {}},
            {.values = mixed.subspan(t * num_heads() * value), .stride = num_heads() * value});
    }
}

void LatentAttention::attend_expanded(const Compute& compute, const Call& call) {
    const std::size_t rank = size(config_.latent.rank);
    const std::size_t width = rank + size(config_.latent.rope_dim);
    const auto cached = call.cache.rows(call.num_keys());
    const auto past = past_.take(call.num_keys() * rank);
    for (std::size_t k = 0; k < call.num_keys(); ++k) {
        std::copy_n(cached.data() + k * width, rank, past.data() + k * rank);
    }
    latent_rows_.assign(compute, past, rank);
    mixed_.take(call.num_tokens() * num_heads() * size(config_.latent.value_dim));
    compute.pool.parallel_for(num_heads(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t head = begin; head < end; ++head) expand_head(compute, call, head);
    });
}

void LatentAttention::forward(const Compute& compute, const LatentWeights& weights,
                              LatentCache& cache, const MixerInputs& inputs, std::span<float> out) {
    const Call call{weights, cache, inputs};
    make_queries(compute, call);
    make_rows(compute, call);
    if (expands(call.num_tokens(), call.num_keys())) {
        attend_expanded(compute, call);
    } else {
        attend_absorbed(compute, call);
    }
    const std::size_t width = num_heads() * size(config_.latent.value_dim);
    mixed_rows_.assign(compute, mixed_.first(call.num_tokens() * width), width);
    inputs.show({TensorRole::AttentionOutput}, mixed_rows_.values());
    linear(compute, weights.output.view(), mixed_rows_, out);
    add_bias(weights.output_bias, out);
}

}  // namespace espalier
