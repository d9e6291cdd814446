#include "nn/feed_forward.h"

#include "nn/experts.h"
#include "nn/router.h"

namespace espalier {
namespace {

using enum TensorRole;

torch::Tensor dense(const BlockContext& context, const torch::Tensor& rows) {
    const GatedMlp& mlp = context.weights.dense;
    context.show_input({DenseGate, DenseUp}, rows);
    const torch::Tensor activation = torch::silu(mlp.gate(rows)) * mlp.up(rows);
    context.show_input({DenseDown}, activation);
    return mlp.down(activation);
}

/// What every token gets beside its experts.
torch::Tensor shared_expert(const BlockContext& context, const torch::Tensor& rows) {
    const SharedExpertWeights& shared = context.weights.shared_expert;
    context.show_input({SharedGate, SharedUp}, rows);
    const torch::Tensor activation = torch::silu(shared.mlp.gate(rows)) * shared.mlp.up(rows);
    context.show_input({SharedDown}, activation);
    const torch::Tensor out = shared.mlp.down(activation);
    if (!context.config.shared_expert.has_gate) return out;
    context.show_input({SharedScore}, rows);
    return out * torch::sigmoid(shared.score(rows));
}

torch::Tensor moe(const BlockContext& context, const torch::Tensor& rows) {
    const RouterConfig config = context.config.router_of(context.layer);
    context.show_input({Router}, rows);
    const RoutedRows routing = route(config, context.weights.router, rows, context.removed);
    if (context.tap != nullptr) context.tap->on_routing(routing);
    torch::Tensor routed = routed_experts({.experts = context.weights.experts,
                                           .config = context.config.experts,
                                           .num_experts = config.num_experts,
                                           .tap = context.tap,
                                           .stop = context.stop},
                                          rows, routing);
    if (context.routed_scale != 1.0) routed = routed * context.routed_scale;
    if (context.tap != nullptr) context.tap->on_routed_output(routed);
    if (context.config.shared_expert.width == 0) return routed;
    return routed + shared_expert(context, rows);
}

}  // namespace

torch::Tensor feed_forward(const BlockContext& context, const torch::Tensor& rows) {
    return context.layer_config().feed_forward == FeedForwardKind::Moe ? moe(context, rows)
                                                                       : dense(context, rows);
}

}  // namespace espalier
