#include "nn/delta_net.h"

#include <cmath>

#include "nn/causal_convolution.h"
#include "nn/gated_delta_rule.h"
#include "nn/norms.h"

namespace espalier {
namespace {

using enum TensorRole;

constexpr double kUnitEpsilon = 1e-6;

/// Projections of all tokens that the rule needs.
struct Projected {
    torch::Tensor qkv;        ///< [tokens, channels], before the convolution
    torch::Tensor beta;       ///< [tokens, value_heads]
    torch::Tensor log_decay;  ///< [tokens, value_heads]
};

torch::Tensor to_unit_length(const torch::Tensor& x) {
    return x * torch::rsqrt(x.square().sum(-1, true) + kUnitEpsilon);
}

Projected project(const DeltaNetTensors& weights, const torch::Tensor& rows) {
    return {.qkv = weights.qkv(rows),
            .beta = torch::sigmoid(weights.beta(rows)),
            .log_decay = -torch::exp(weights.log_a) *
                         torch::softplus(weights.decay(rows) + weights.decay_bias)};
}

/// @return [length, value_heads, value_dim]
torch::Tensor mix(const BlockContext& context, const Projected& projected, std::int64_t begin,
                  std::int64_t length) {
    const DeltaNetConfig& config = context.config.delta_net;
    const torch::Tensor qkv = torch::silu(causal_convolution(
        projected.qkv.narrow(0, begin, length), context.weights.delta_net.convolution));
    const std::int64_t key_rows = config.num_key_heads * config.key_dim;
    const auto heads = [&](std::int64_t first, std::int64_t count, std::int64_t dim) {
        return qkv.narrow(1, first, count * dim).reshape({length, count, dim}).transpose(0, 1);
    };
    const torch::Tensor q = heads(0, config.num_key_heads, config.key_dim);
    const torch::Tensor k = heads(key_rows, config.num_key_heads, config.key_dim);
    const auto by_head = [&](const torch::Tensor& x) {
        return x.narrow(0, begin, length).transpose(0, 1);
    };
    const double scale = 1.0 / std::sqrt(static_cast<double>(config.key_dim));
    return gated_delta_rule({.q = to_unit_length(q) * scale,
                             .k = to_unit_length(k),
                             .v = heads(2 * key_rows, config.num_value_heads, config.value_dim),
                             .beta = by_head(projected.beta),
                             .log_decay = by_head(projected.log_decay)},
                            context.stop)
        .transpose(0, 1);
}

}  // namespace

torch::Tensor delta_net(const BlockContext& context, const torch::Tensor& rows) {
    const DeltaNetTensors& weights = context.weights.delta_net;
    context.show_input({DeltaQkv, DeltaZ, DeltaBeta, DeltaDecay}, rows);
    const Projected projected = project(weights, rows);
    const torch::Tensor mixed =
        context.sequences.mix_each([&](std::int64_t begin, std::int64_t length) {
            return mix(context, projected, begin, length);
        });
    const torch::Tensor gate = torch::silu(weights.z(rows)).view(mixed.sizes());
    const torch::Tensor heads =
        (rms_norm(mixed, weights.norm, context.config.rms_norm_eps) * gate).flatten(1);
    context.show_input({DeltaOutput}, heads);
    return weights.output(heads);
}

}  // namespace espalier
