#include "nn/block.h"

#include <array>

#include "nn/attention.h"
#include "nn/experts.h"
#include "nn/norms.h"
#include "nn/router.h"

namespace espalier {
namespace {

torch::Tensor mix(const BlockContext& context, const LayerConfig& layer,
                  const torch::Tensor& rows) {
    const torch::Tensor out = attention({.config = context.config,
                                         .layer = layer,
                                         .weights = context.weights.attention,
                                         .rotary = context.rotary,
                                         .sequences = context.sequences,
                                         .tap = context.tap,
                                         .stop = context.stop},
                                        rows);
    if (context.tap != nullptr) context.tap->on_mixer_output(out);
    return out;
}

torch::Tensor dense_feed_forward(const BlockContext& context, const torch::Tensor& rows) {
    const GatedMlp& mlp = context.weights.dense;
    if (context.tap == nullptr) return gated_mlp(mlp, rows);
    constexpr std::array kInputs{TensorRole::DenseGate, TensorRole::DenseUp};
    constexpr std::array kDownInput{TensorRole::DenseDown};
    context.tap->on_input(kInputs, rows);
    const torch::Tensor activation = torch::silu(mlp.gate(rows)) * mlp.up(rows);
    context.tap->on_input(kDownInput, activation);
    return mlp.down(activation);
}

torch::Tensor moe_feed_forward(const BlockContext& context, const torch::Tensor& rows) {
    const RouterConfig& config = context.config.router;
    if (context.tap != nullptr) {
        constexpr std::array kInputs{TensorRole::Router};
        context.tap->on_input(kInputs, rows);
    }
    const Routing routing = route(config, context.weights.router, rows, context.removed);
    if (context.tap != nullptr) context.tap->on_routing(routing);
    return routed_experts({.experts = context.weights.experts,
                           .num_experts = config.num_experts,
                           .tap = context.tap,
                           .stop = context.stop},
                          rows, routing);
}

}  // namespace

torch::Tensor run_block(const BlockContext& context, const torch::Tensor& hidden) {
    const LayerConfig& layer = context.config.layers.at(static_cast<std::size_t>(context.layer));
    const double epsilon = context.config.rms_norm_eps;
    const LayerWeights& weights = context.weights;
    const torch::Tensor mixed =
        hidden + mix(context, layer, rms_norm(hidden, weights.attention.norm, epsilon));
    const torch::Tensor rows = rms_norm(mixed, weights.feed_forward_norm, epsilon);
    const torch::Tensor out = layer.feed_forward == FeedForwardKind::Moe
                                  ? moe_feed_forward(context, rows)
                                  : dense_feed_forward(context, rows);
    if (context.tap != nullptr) context.tap->on_feed_forward_output(out);
    return mixed + out;
}

}  // namespace espalier
