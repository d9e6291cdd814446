#include "nn/layer_weights.h"

#include "base/cancel.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

using enum TensorRole;

/// Visits the slots of one layer.
class LayerVisitor {
public:
    LayerVisitor(std::int32_t layer, const TensorVisitor& visit) : layer_(layer), visit_(visit) {}

    void one(TensorRole role, torch::Tensor& slot) const { visit_({role, layer_}, slot); }

    void attention(AttentionTensors& attention) const {
        one(AttentionQ, attention.q.weight);
        one(AttentionK, attention.k.weight);
        one(AttentionV, attention.v.weight);
        one(AttentionOutput, attention.output.weight);
        one(AttentionQBias, attention.q.bias);
        one(AttentionKBias, attention.k.bias);
        one(AttentionVBias, attention.v.bias);
        one(AttentionOutputBias, attention.output.bias);
        one(AttentionQNorm, attention.q_norm);
        one(AttentionKNorm, attention.k_norm);
        one(AttentionSinks, attention.sinks);
    }

    void latent(LatentTensors& latent) const {
        one(LatentQ, latent.q.weight);
        one(LatentQDown, latent.q_down.weight);
        one(LatentQDownBias, latent.q_down.bias);
        one(LatentQNorm, latent.q_norm);
        one(LatentQUp, latent.q_up.weight);
        one(LatentKvDown, latent.kv_down.weight);
        one(LatentKvDownBias, latent.kv_down.bias);
        one(LatentKvNorm, latent.kv_norm);
        one(LatentKeyUp, latent.key_up.weight);
        one(LatentValueUp, latent.value_up.weight);
    }

    void delta_net(DeltaNetTensors& delta) const {
        one(DeltaQkv, delta.qkv.weight);
        one(DeltaZ, delta.z.weight);
        one(DeltaBeta, delta.beta.weight);
        one(DeltaDecay, delta.decay.weight);
        one(DeltaConvolution, delta.convolution);
        one(DeltaLogA, delta.log_a);
        one(DeltaDecayBias, delta.decay_bias);
        one(DeltaNorm, delta.norm);
        one(DeltaOutput, delta.output.weight);
    }

    void convolution(ShortConvolutionTensors& convolution) const {
        one(ConvolutionIn, convolution.in.weight);
        one(ConvolutionInBias, convolution.in.bias);
        one(ConvolutionKernel, convolution.kernel);
        one(ConvolutionBias, convolution.bias);
        one(ConvolutionOut, convolution.out.weight);
        one(ConvolutionOutBias, convolution.out.bias);
    }

    void expert(GatedMlp& mlp, std::int32_t index) const {
        visit_({ExpertGate, layer_, index}, mlp.gate.weight);
        visit_({ExpertUp, layer_, index}, mlp.up.weight);
        visit_({ExpertDown, layer_, index}, mlp.down.weight);
        visit_({ExpertGateBias, layer_, index}, mlp.gate.bias);
        visit_({ExpertUpBias, layer_, index}, mlp.up.bias);
        visit_({ExpertDownBias, layer_, index}, mlp.down.bias);
        visit_({ExpertConstant, layer_, index}, mlp.constant);
    }

    void feed_forward(LayerTensors& weights) const {
        one(FeedForwardNorm, weights.feed_forward_norm);
        one(DenseGate, weights.dense.gate.weight);
        one(DenseUp, weights.dense.up.weight);
        one(DenseDown, weights.dense.down.weight);
        one(Router, weights.router.linear.weight);
        one(RouterBias, weights.router.linear.bias);
        one(RouterSelectionBias, weights.router.selection_bias);
        std::int32_t index = 0;
        for (GatedMlp& mlp : weights.experts) expert(mlp, index++);
        SharedExpertWeights& shared = weights.shared_expert;
        one(SharedGate, shared.mlp.gate.weight);
        one(SharedUp, shared.mlp.up.weight);
        one(SharedDown, shared.mlp.down.weight);
        one(SharedScore, shared.score.weight);
    }

private:
    std::int32_t layer_;
    const TensorVisitor& visit_;
};

}  // namespace

torch::Tensor Linear::operator()(const torch::Tensor& rows) const {
    return bias.defined() ? torch::linear(rows, weight, bias) : torch::linear(rows, weight);
}

void visit_tensors(LayerTensors& weights, std::int32_t layer, const TensorVisitor& visit) {
    const LayerVisitor visitor(layer, visit);
    visitor.one(AttentionNorm, weights.mixer_norm);
    visitor.attention(weights.attention);
    visitor.latent(weights.latent);
    visitor.delta_net(weights.delta_net);
    visitor.convolution(weights.convolution);
    visitor.feed_forward(weights);
}

LayerTensors load_layer(const ModelSource& source, std::int64_t layer,
                        const std::stop_token& stop) {
    const auto index = static_cast<std::int32_t>(layer);
    LayerTensors weights;
    const auto& config = source.config();
    const bool is_moe =
        config.layers.at(static_cast<std::size_t>(layer)).feed_forward == FeedForwardKind::Moe;
    if (is_moe) {
        weights.experts.resize(static_cast<std::size_t>(config.num_experts_of(layer)));
    }
    visit_tensors(weights, index, [&](const TensorKey& key, torch::Tensor& slot) {
        throw_if_stopped(stop);
        slot = decode_optional(source, key);
    });
    return weights;
}

}  // namespace espalier
