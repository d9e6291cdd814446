#include "infer/weights.h"

namespace espalier {
namespace {

/// Reads the tensors of one layer by their roles.
class LayerReader {
public:
    LayerReader(const ModelSource& source, std::int32_t layer) : source_(source), layer_(layer) {}

    WeightMatrix matrix(TensorRole role, std::int32_t expert = -1) const {
        return {source_, {role, layer_, expert}};
    }
    std::vector<float> vector(TensorRole role, bool present = true,
                              std::int32_t expert = -1) const {
        if (!present) return {};
        return load_vector(source_, {role, layer_, expert});
    }
    /// [channels, kernel] as stored, turned into [kernel, channels]: a tap's factors side by side.
    std::vector<float> taps(TensorRole role) const {
        const Shape shape = source_.shape({role, layer_});
        const auto channels = static_cast<std::size_t>(shape.at(0));
        const auto kernel = static_cast<std::size_t>(shape.at(1));
        const std::vector<float> stored = vector(role);
        std::vector<float> turned(stored.size());
        for (std::size_t i = 0; i < stored.size(); ++i) {
            turned[i % kernel * channels + i / kernel] = stored[i];
        }
        return turned;
    }
    const MoeConfig& config() const { return source_.config(); }
    std::int32_t layer() const { return layer_; }

private:
    const ModelSource& source_;
    std::int32_t layer_;
};

AttentionWeights load_attention(const LayerReader& read) {
    const AttentionConfig& config = read.config().attention;
    const bool has_norms = config.qk_norm != QkNorm::None;
    return {.q = read.matrix(TensorRole::AttentionQ),
            .k = read.matrix(TensorRole::AttentionK),
            .v = read.matrix(TensorRole::AttentionV),
            .output = read.matrix(TensorRole::AttentionOutput),
            .q_bias = read.vector(TensorRole::AttentionQBias, config.has_qkv_bias),
            .k_bias = read.vector(TensorRole::AttentionKBias, config.has_qkv_bias),
            .v_bias = read.vector(TensorRole::AttentionVBias, config.has_qkv_bias),
            .output_bias = read.vector(TensorRole::AttentionOutputBias, config.has_output_bias),
            .q_norm = read.vector(TensorRole::AttentionQNorm, has_norms),
            .k_norm = read.vector(TensorRole::AttentionKNorm, has_norms),
            .sinks = read.vector(TensorRole::AttentionSinks, config.has_sinks)};
}

LatentWeights load_latent(const LayerReader& read) {
    const AttentionConfig& config = read.config().attention;
    LatentWeights weights;
    if (config.latent.query_rank == 0) {
        weights.q = read.matrix(TensorRole::LatentQ);
    } else {
        weights.q_down = read.matrix(TensorRole::LatentQDown);
        weights.q_down_bias = read.vector(TensorRole::LatentQDownBias, config.has_qkv_bias);
        weights.q_norm = read.vector(TensorRole::LatentQNorm);
        weights.q_up = read.matrix(TensorRole::LatentQUp);
    }
    weights.kv_down = read.matrix(TensorRole::LatentKvDown);
    weights.kv_down_bias = read.vector(TensorRole::LatentKvDownBias, config.has_qkv_bias);
    weights.kv_norm = read.vector(TensorRole::LatentKvNorm);
    weights.key_up = read.matrix(TensorRole::LatentKeyUp);
    weights.value_up = read.matrix(TensorRole::LatentValueUp);
    weights.output = read.matrix(TensorRole::AttentionOutput);
    weights.output_bias = read.vector(TensorRole::AttentionOutputBias, config.has_output_bias);
    return weights;
}

DeltaNetWeights load_delta_net(const LayerReader& read) {
    return {.qkv = read.matrix(TensorRole::DeltaQkv),
            .z = read.matrix(TensorRole::DeltaZ),
            .beta = read.matrix(TensorRole::DeltaBeta),
            .decay = read.matrix(TensorRole::DeltaDecay),
            .output = read.matrix(TensorRole::DeltaOutput),
            .taps = read.taps(TensorRole::DeltaConvolution),
            .log_a = read.vector(TensorRole::DeltaLogA),
            .decay_bias = read.vector(TensorRole::DeltaDecayBias),
            .norm = read.vector(TensorRole::DeltaNorm)};
}

ShortConvolutionWeights load_short_convolution(const LayerReader& read) {
    const bool has_bias = read.config().short_convolution.has_bias;
    return {.in = read.matrix(TensorRole::ConvolutionIn),
            .out = read.matrix(TensorRole::ConvolutionOut),
            .in_bias = read.vector(TensorRole::ConvolutionInBias, has_bias),
            .out_bias = read.vector(TensorRole::ConvolutionOutBias, has_bias),
            .taps = read.taps(TensorRole::ConvolutionKernel),
            .bias = read.vector(TensorRole::ConvolutionBias, has_bias)};
}

MixerWeights load_mixer(const LayerReader& read, MixerKind kind) {
    switch (kind) {
        case MixerKind::LatentAttention:
            return load_latent(read);
        case MixerKind::DeltaNet:
            return load_delta_net(read);
        case MixerKind::ShortConvolution:
            return load_short_convolution(read);
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            break;
    }
    return load_attention(read);
}

GatedMlpWeights load_expert(const LayerReader& read, std::int32_t expert) {
    if (read.config().is_constant(read.layer(), expert)) {
        GatedMlpWeights weights;
        weights.constant = read.vector(TensorRole::ExpertConstant, true, expert);
        return weights;
    }
    const bool has_bias = read.config().experts.has_bias;
    return {.gate = read.matrix(TensorRole::ExpertGate, expert),
            .up = read.matrix(TensorRole::ExpertUp, expert),
            .down = read.matrix(TensorRole::ExpertDown, expert),
            .gate_bias = read.vector(TensorRole::ExpertGateBias, has_bias, expert),
            .up_bias = read.vector(TensorRole::ExpertUpBias, has_bias, expert),
            .down_bias = read.vector(TensorRole::ExpertDownBias, has_bias, expert),
            .constant = {}};
}

void load_moe(const LayerReader& read, LayerWeights& weights) {
    const RouterConfig router = read.config().router_of(read.layer());
    weights.router = read.matrix(TensorRole::Router);
    weights.router_bias = read.vector(TensorRole::RouterBias, router.has_bias);
    weights.selection_bias =
        read.vector(TensorRole::RouterSelectionBias, router.has_selection_bias);
    for (std::int32_t e = 0; e < router.num_experts; ++e) {
        weights.experts.push_back(load_expert(read, e));
    }
    const SharedExpertConfig& shared = read.config().shared_expert;
    if (shared.width == 0) return;
    weights.shared.gate = read.matrix(TensorRole::SharedGate);
    weights.shared.up = read.matrix(TensorRole::SharedUp);
    weights.shared.down = read.matrix(TensorRole::SharedDown);
    if (shared.has_gate) weights.shared_score = read.matrix(TensorRole::SharedScore);
}

}  // namespace

std::vector<float> load_vector(const ModelSource& source, const TensorKey& key) {
    std::vector<float> values(num_elements(source.shape(key)).value_or(0));
    source.decode(key, values);
    return values;
}

LayerWeights load_layer_weights(const ModelSource& source, std::int32_t layer) {
    const LayerReader read(source, layer);
    const LayerConfig& config = source.config().layers.at(static_cast<std::size_t>(layer));
    LayerWeights weights;
    weights.mixer_norm = read.vector(TensorRole::AttentionNorm);
    weights.mixer = load_mixer(read, config.mixer);
    weights.feed_forward_norm = read.vector(TensorRole::FeedForwardNorm);
    if (config.feed_forward == FeedForwardKind::Moe) {
        load_moe(read, weights);
    } else {
        GatedMlpWeights& dense = weights.experts.emplace_back();
        dense.gate = read.matrix(TensorRole::DenseGate);
        dense.up = read.matrix(TensorRole::DenseUp);
        dense.down = read.matrix(TensorRole::DenseDown);
    }
    return weights;
}

void GatedMlpWeights::prepare() {
    for (WeightMatrix* matrix : matrices()) matrix->prepare();
}

void GatedMlpWeights::release() noexcept {
    for (WeightMatrix* matrix : matrices()) matrix->release();
}

void LayerWeights::prepare() {
    std::visit(
        [](auto& weights) {
            for (WeightMatrix* matrix : weights.matrices()) matrix->prepare();
        },
        mixer);
    router.prepare();
    shared.prepare();
    shared_score.prepare();
}

std::uint64_t LayerWeights::copy_bytes() noexcept {
    std::uint64_t bytes = router.copy_bytes() + shared.copy_bytes() + shared_score.copy_bytes();
    std::visit(
        [&](auto& weights) {
            for (WeightMatrix* matrix : weights.matrices()) bytes += matrix->copy_bytes();
        },
        mixer);
    return bytes;
}

void LayerWeights::release() noexcept {
    std::visit(
        [](auto& weights) {
            for (WeightMatrix* matrix : weights.matrices()) matrix->release();
        },
        mixer);
    router.release();
    shared_score.release();
    shared.release();
    for (GatedMlpWeights& expert : experts) expert.release();
}

}  // namespace espalier
