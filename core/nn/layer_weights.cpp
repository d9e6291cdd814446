#include "nn/layer_weights.h"

#include "base/cancel.h"
#include "nn/torch_tensors.h"
#include "tensor/shape.h"

namespace espalier {
namespace {

void visit_expert(GatedMlp& mlp, std::int32_t layer, std::int32_t expert,
                  const TensorVisitor& visit) {
    visit({TensorRole::ExpertGate, layer, expert}, mlp.gate.weight);
    visit({TensorRole::ExpertUp, layer, expert}, mlp.up.weight);
    visit({TensorRole::ExpertDown, layer, expert}, mlp.down.weight);
}

void visit_attention(AttentionWeights& attention, std::int32_t layer, const TensorVisitor& visit) {
    visit({TensorRole::AttentionNorm, layer}, attention.norm);
    visit({TensorRole::AttentionQ, layer}, attention.q.weight);
    visit({TensorRole::AttentionK, layer}, attention.k.weight);
    visit({TensorRole::AttentionV, layer}, attention.v.weight);
    visit({TensorRole::AttentionOutput, layer}, attention.output.weight);
    visit({TensorRole::AttentionQBias, layer}, attention.q.bias);
    visit({TensorRole::AttentionKBias, layer}, attention.k.bias);
    visit({TensorRole::AttentionVBias, layer}, attention.v.bias);
    visit({TensorRole::AttentionOutputBias, layer}, attention.output.bias);
    visit({TensorRole::AttentionQNorm, layer}, attention.q_norm);
    visit({TensorRole::AttentionKNorm, layer}, attention.k_norm);
}

}  // namespace

torch::Tensor Linear::operator()(const torch::Tensor& rows) const {
    return bias.defined() ? torch::linear(rows, weight, bias) : torch::linear(rows, weight);
}

GatedMlp ExpertWeights::at(std::int64_t expert) const {
    if (!held.empty()) return held[static_cast<std::size_t>(expert)];
    GatedMlp mlp;
    visit_expert(
        mlp, layer, static_cast<std::int32_t>(expert),
        [this](const TensorKey& key, torch::Tensor& slot) { slot = decode_tensor(*source, key); });
    return mlp;
}

void visit_tensors(LayerWeights& weights, std::int32_t layer, const TensorVisitor& visit) {
    visit_attention(weights.attention, layer, visit);
    visit({TensorRole::FeedForwardNorm, layer}, weights.feed_forward_norm);
    visit({TensorRole::DenseGate, layer}, weights.dense.gate.weight);
    visit({TensorRole::DenseUp, layer}, weights.dense.up.weight);
    visit({TensorRole::DenseDown, layer}, weights.dense.down.weight);
    visit({TensorRole::Router, layer}, weights.router.weight);
    std::int32_t expert = 0;
    for (GatedMlp& mlp : weights.experts.held) visit_expert(mlp, layer, expert++, visit);
}

LayerWeights load_layer(const ModelSource& source, std::int64_t layer, ExpertStorage storage,
                        const std::stop_token& stop) {
    const auto index = static_cast<std::int32_t>(layer);
    LayerWeights weights;
    weights.experts = {.held = {}, .source = &source, .layer = index};
    const auto& config = source.config();
    const bool is_moe =
        config.layers.at(static_cast<std::size_t>(layer)).feed_forward == FeedForwardKind::Moe;
    if (is_moe && storage == ExpertStorage::Held) {
        weights.experts.held.resize(static_cast<std::size_t>(config.router.num_experts));
    }
    visit_tensors(weights, index, [&](const TensorKey& key, torch::Tensor& slot) {
        throw_if_stopped(stop);
        slot = decode_optional(source, key);
    });
    return weights;
}

std::uint64_t layer_bytes(const ModelSource& source, std::int64_t layer, ExpertStorage storage) {
    const auto& config = source.config();
    LayerWeights slots;
    if (config.layers.at(static_cast<std::size_t>(layer)).feed_forward == FeedForwardKind::Moe) {
        // Decoded experts are in memory one at a time.
        slots.experts.held.resize(storage == ExpertStorage::Held
                                      ? static_cast<std::size_t>(config.router.num_experts)
                                      : 1);
    }
    std::uint64_t elements = 0;
    visit_tensors(slots, static_cast<std::int32_t>(layer),
                  [&](const TensorKey& key, torch::Tensor&) {
                      if (source.has(key)) elements += num_elements(source.shape(key)).value_or(0);
                  });
    return elements * sizeof(float);
}

}  // namespace espalier
