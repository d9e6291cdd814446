#include "model/model_tensors.h"

#include <utility>

namespace espalier {
namespace {

using enum TensorRole;

class Lister {
public:
    explicit Lister(const MoeConfig& config) : config_(config) {}

    std::vector<ModelTensor> list() && {
        add(TokenEmbedding, {config_.vocab_size, config_.hidden_size});
        for (const auto& layer : config_.layers) {
            ++layer_;
            add(AttentionNorm, {config_.hidden_size});
            add_mixer(layer.mixer);
            add(FeedForwardNorm, {config_.hidden_size});
            if (layer.feed_forward == FeedForwardKind::Moe) {
                add_moe();
            } else {
                add_dense();
            }
        }
        layer_ = -1;
        add(OutputNorm, {config_.hidden_size});
        if (!config_.ties_embeddings) add(Output, {config_.vocab_size, config_.hidden_size});
        return std::move(tensors_);
    }

private:
    void add(TensorRole role, Shape shape, std::int32_t expert = -1) {
        tensors_.push_back({{role, layer_, expert}, std::move(shape)});
    }

    void add_mixer(MixerKind mixer) {
        switch (mixer) {
            case MixerKind::FullAttention:
            case MixerKind::SlidingAttention:
                return add_attention();
            case MixerKind::LatentAttention:
                return add_latent_attention();
            case MixerKind::DeltaNet:
                return add_delta_net();
            case MixerKind::ShortConvolution:
                return add_short_convolution();
        }
    }

    void add_attention() {
        const AttentionConfig& attention = config_.attention;
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t value_rows = attention.num_heads * attention.head_dim;
        const std::int64_t q_rows = attention.has_output_gate ? 2 * value_rows : value_rows;
        const std::int64_t kv_rows = attention.num_kv_heads * attention.head_dim;
        add(AttentionQ, {q_rows, hidden});
        add(AttentionK, {kv_rows, hidden});
        add(AttentionV, {kv_rows, hidden});
        add(AttentionOutput, {hidden, value_rows});
        if (attention.has_qkv_bias) {
            add(AttentionQBias, {q_rows});
            add(AttentionKBias, {kv_rows});
            add(AttentionVBias, {kv_rows});
        }
        if (attention.has_output_bias) add(AttentionOutputBias, {hidden});
        if (attention.qk_norm != QkNorm::None) {
            const bool is_whole = attention.qk_norm == QkNorm::Whole;
            add(AttentionQNorm, {is_whole ? value_rows : attention.head_dim});
            add(AttentionKNorm, {is_whole ? kv_rows : attention.head_dim});
        }
        if (attention.has_sinks) add(AttentionSinks, {attention.num_heads});
    }

    void add_latent_attention() {
        const AttentionConfig& attention = config_.attention;
        const LatentConfig& latent = attention.latent;
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t heads = attention.num_heads;
        const std::int64_t q_rows = heads * (latent.nope_dim + latent.rope_dim);
        if (latent.query_rank == 0) {
            add(LatentQ, {q_rows, hidden});
        } else {
            add(LatentQDown, {latent.query_rank, hidden});
            if (attention.has_qkv_bias) add(LatentQDownBias, {latent.query_rank});
            add(LatentQNorm, {latent.query_rank});
            add(LatentQUp, {q_rows, latent.query_rank});
        }
        add(LatentKvDown, {latent.rank + latent.rope_dim, hidden});
        if (attention.has_qkv_bias) add(LatentKvDownBias, {latent.rank + latent.rope_dim});
        add(LatentKvNorm, {latent.rank});
        add(LatentKeyUp, {heads * latent.nope_dim, latent.rank});
        add(LatentValueUp, {heads * latent.value_dim, latent.rank});
        add(AttentionOutput, {hidden, heads * latent.value_dim});
        if (attention.has_output_bias) add(AttentionOutputBias, {hidden});
    }

    void add_delta_net() {
        const DeltaNetConfig& delta = config_.delta_net;
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t values = delta.num_value_heads * delta.value_dim;
        add(DeltaQkv, {delta.channels(), hidden});
        add(DeltaZ, {values, hidden});
        add(DeltaBeta, {delta.num_value_heads, hidden});
        add(DeltaDecay, {delta.num_value_heads, hidden});
        add(DeltaConvolution, {delta.channels(), delta.kernel});
        add(DeltaLogA, {delta.num_value_heads});
        add(DeltaDecayBias, {delta.num_value_heads});
        add(DeltaNorm, {delta.value_dim});
        add(DeltaOutput, {hidden, values});
    }

    void add_short_convolution() {
        const ShortConvolutionConfig& convolution = config_.short_convolution;
        const std::int64_t hidden = config_.hidden_size;
        add(ConvolutionIn, {3 * hidden, hidden});
        add(ConvolutionKernel, {hidden, convolution.kernel});
        add(ConvolutionOut, {hidden, hidden});
        if (!convolution.has_bias) return;
        add(ConvolutionInBias, {3 * hidden});
        add(ConvolutionBias, {hidden});
        add(ConvolutionOutBias, {hidden});
    }

    void add_dense() {
        add(DenseGate, {config_.intermediate_size, config_.hidden_size});
        add(DenseUp, {config_.intermediate_size, config_.hidden_size});
        add(DenseDown, {config_.hidden_size, config_.intermediate_size});
    }

    void add_moe() {
        const RouterConfig router = config_.router_of(layer_);
        const std::int64_t width = config_.moe_intermediate_size;
        const std::int64_t hidden = config_.hidden_size;
        add(Router, {router.num_experts, hidden});
        if (router.has_bias) add(RouterBias, {router.num_experts});
        if (router.has_selection_bias) add(RouterSelectionBias, {router.num_experts});
        for (std::int32_t i = 0; i < router.num_experts; ++i) {
            if (config_.is_constant(layer_, i)) {
                add(ExpertConstant, {hidden}, i);
                continue;
            }
            add(ExpertGate, {width, hidden}, i);
            add(ExpertUp, {width, hidden}, i);
            add(ExpertDown, {hidden, width}, i);
            if (!config_.experts.has_bias) continue;
            add(ExpertGateBias, {width}, i);
            add(ExpertUpBias, {width}, i);
            add(ExpertDownBias, {hidden}, i);
        }
        add_shared_expert();
    }

    void add_shared_expert() {
        const SharedExpertConfig& shared = config_.shared_expert;
        if (shared.width == 0) return;
        add(SharedGate, {shared.width, config_.hidden_size});
        add(SharedUp, {shared.width, config_.hidden_size});
        add(SharedDown, {config_.hidden_size, shared.width});
        if (shared.has_gate) add(SharedScore, {1, config_.hidden_size});
    }

    const MoeConfig& config_;
    std::int32_t layer_ = -1;
    std::vector<ModelTensor> tensors_;
};

}  // namespace

std::vector<ModelTensor> model_tensors(const MoeConfig& config) { return Lister(config).list(); }

}  // namespace espalier
