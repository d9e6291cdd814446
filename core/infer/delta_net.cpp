#include "infer/delta_net.h"

#include <algorithm>
#include <cmath>

#include "base/cancel.h"
#include "infer/causal_convolution.h"
#include "kernels/delta_rule.h"
#include "kernels/gate_ops.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

constexpr std::size_t kPieceTokens = 16;
/// Inside the root of a query's and a key's length.
constexpr float kLengthEpsilon = 1e-6F;

float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

/// log(1 + exp(x)), which is x far out.
float softplus(float x) { return x > 20.0F ? x : std::log1p(std::exp(x)); }

}  // namespace

/// Some columns of a value head's state.
struct DeltaNet::Block {
    std::size_t head = 0;
    std::size_t first_column = 0;
    std::size_t width = 0;
};

DeltaNet::DeltaNet(const MoeConfig& config)
    : config_(config.delta_net),
      eps_(static_cast<float>(config.rms_norm_eps)),
      key_heads_(static_cast<std::size_t>(config_.num_key_heads)),
      value_heads_(static_cast<std::size_t>(config_.num_value_heads)),
      key_dim_(static_cast<std::size_t>(config_.key_dim)),
      value_dim_(static_cast<std::size_t>(config_.value_dim)),
      channels_(static_cast<std::size_t>(config_.channels())) {
    // x / sqrt(sum(x^2) + e) is an RMSNorm with weight 1/sqrt(n) and epsilon e/n; queries are also
    // divided by sqrt(n).
    const float root = std::sqrt(static_cast<float>(key_dim_));
    query_norm_.assign(key_dim_, 1.0F / (root * root));
    key_norm_.assign(key_dim_, 1.0F / root);
}

void DeltaNet::project(const Compute& compute, const DeltaNetWeights& weights,
                       const Activations& x) {
    linear(compute, weights.qkv.view(), x, raw_.take(num_tokens_ * channels_));
    linear(compute, weights.z.view(), x, z_.take(num_tokens_ * value_heads_ * value_dim_));
    linear(compute, weights.beta.view(), x, beta_.take(num_tokens_ * value_heads_));
    linear(compute, weights.decay.view(), x, decay_.take(num_tokens_ * value_heads_));
}

void DeltaNet::normalise_heads(std::span<float> row) {
    const float eps = kLengthEpsilon / static_cast<float>(key_dim_);
    for (std::size_t h = 0; h < 2 * key_heads_; ++h) {
        const auto head = row.subspan(h * key_dim_, key_dim_);
        kernels::rms_norm(head, h < key_heads_ ? query_norm_ : key_norm_, eps, head);
    }
}

void DeltaNet::mix_neighbours(const Compute& compute, const DeltaNetWeights& weights,
                              std::span<float> history) {
    const auto qkv = qkv_.take(num_tokens_ * channels_);
    CausalConvolution{weights.taps, channels_}.run(compute, raw_.first(num_tokens_ * channels_),
                                                   history, qkv);
    compute.pool.parallel_for(num_tokens_, kPieceTokens, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
            const auto row = qkv.subspan(t * channels_, channels_);
            kernels::silu(row);
            normalise_heads(row);
        }
    });
}

void DeltaNet::prepare_factors(const DeltaNetWeights& weights) {
    const std::size_t count = num_tokens_ * value_heads_;
    const auto beta = beta_.first(count);
    const auto decay = decay_.first(count);
    const auto strengths = strengths_.take(count);
    const auto decays = decays_.take(count);
    for (std::size_t head = 0; head < value_heads_; ++head) {
        const float rate = -std::exp(weights.log_a[head]);
        for (std::size_t t = 0; t < num_tokens_; ++t) {
            const std::size_t from = t * value_heads_ + head;
            const std::size_t to = head * num_tokens_ + t;
            strengths[to] = sigmoid(beta[from]);
            decays[to] = std::exp(rate * softplus(decay[from] + weights.decay_bias[head]));
        }
    }
}

void DeltaNet::run_block(const Block& block, std::span<float> states) {
    const std::size_t key_head = block.head / (value_heads_ / key_heads_);
    const std::size_t value_column = 2 * key_heads_ * key_dim_ + block.head * value_dim_;
    const auto qkv = qkv_.first(num_tokens_ * channels_);
    const auto column = [&](std::size_t first) -> kernels::RowsView {
        return {
            .values = qkv.subspan(first), .count = num_tokens_, .stride = channels_, .picked = {}};
    };
    const std::size_t begin = block.head * num_tokens_;
    const auto state = states.subspan(
        block.head * key_dim_ * value_dim_ + key_dim_ * block.first_column, key_dim_ * block.width);
    const std::size_t width = value_heads_ * value_dim_;
    const auto mixed = mixed_.first(num_tokens_ * width);
    kernels::delta_rule(
        {.queries = column(key_head * key_dim_),
         .keys = column((key_heads_ + key_head) * key_dim_),
         .values = column(value_column + block.first_column),
         .decays = decays_.first(num_tokens_ * value_heads_).subspan(begin, num_tokens_),
         .strengths = strengths_.first(num_tokens_ * value_heads_).subspan(begin, num_tokens_),
         .key_dim = key_dim_,
         .width = block.width},
        state,
        {.values = mixed.subspan(block.head * value_dim_ + block.first_column), .stride = width});
}

void DeltaNet::run_rule(const Compute& compute, std::span<float> states) {
    mixed_.take(num_tokens_ * value_heads_ * value_dim_);
    const std::size_t blocks = (value_dim_ + kernels::kDeltaColumns - 1) / kernels::kDeltaColumns;
    // A single token of one head is too little for a piece of work.
    const std::size_t piece = num_tokens_ < kPieceTokens ? blocks : 1;
    const auto each_block = [&](std::size_t begin, std::size_t end) {
        throw_if_stopped(compute.stop);
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t first = i % blocks * kernels::kDeltaColumns;
            run_block({.head = i / blocks,
                       .first_column = first,
                       .width = std::min(kernels::kDeltaColumns, value_dim_ - first)},
                      states);
        }
    };
    compute.pool.parallel_for(value_heads_ * blocks, piece, each_block);
}

void DeltaNet::gate(const Compute& compute, std::span<const float> norm) {
    const std::size_t count = num_tokens_ * value_heads_;
    const auto mixed = mixed_.first(count * value_dim_);
    const auto z = z_.first(count * value_dim_);
    const std::size_t piece = kPieceTokens * value_heads_;
    compute.pool.parallel_for(count, piece, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const auto head = mixed.subspan(i * value_dim_, value_dim_);
            kernels::rms_norm(head, norm, eps_, head);
            kernels::silu_mul(z.subspan(i * value_dim_, value_dim_), head, head);
        }
    });
}

void DeltaNet::forward(const Compute& compute, const DeltaNetWeights& weights,
                       RecurrentState& state, const MixerInputs& inputs, std::span<float> out) {
    num_tokens_ = inputs.x.num_rows();
    inputs.show(
        {TensorRole::DeltaQkv, TensorRole::DeltaZ, TensorRole::DeltaBeta, TensorRole::DeltaDecay},
        inputs.x.values());
    project(compute, weights, inputs.x);
    prepare_factors(weights);
    const auto values = state.advance(inputs.position, num_tokens_);
    const auto history = values.first(weights.taps.size() - channels_);
    mix_neighbours(compute, weights, history);
    run_rule(compute, values.subspan(history.size()));
    gate(compute, weights.norm);
    const std::size_t width = value_heads_ * value_dim_;
    mixed_rows_.assign(compute, mixed_.first(num_tokens_ * width), width);
    inputs.show({TensorRole::DeltaOutput}, mixed_rows_.values());
    linear(compute, weights.output.view(), mixed_rows_, out);
}

}  // namespace espalier
