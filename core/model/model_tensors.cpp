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
            add_attention();
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

    void add_attention() {
        const AttentionConfig& attention = config_.attention;
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t q_rows = attention.num_heads * attention.head_dim;
        const std::int64_t kv_rows = attention.num_kv_heads * attention.head_dim;
        add(AttentionNorm, {hidden});
        add(AttentionQ, {q_rows, hidden});
        add(AttentionK, {kv_rows, hidden});
        add(AttentionV, {kv_rows, hidden});
        add(AttentionOutput, {hidden, q_rows});
        if (attention.has_qkv_bias) {
            add(AttentionQBias, {q_rows});
            add(AttentionKBias, {kv_rows});
            add(AttentionVBias, {kv_rows});
        }
        if (attention.has_output_bias) add(AttentionOutputBias, {hidden});
        if (attention.qk_norm != QkNorm::None) {
            add(AttentionQNorm, {attention.head_dim});
            add(AttentionKNorm, {attention.head_dim});
        }
    }

    void add_dense() {
        add(DenseGate, {config_.intermediate_size, config_.hidden_size});
        add(DenseUp, {config_.intermediate_size, config_.hidden_size});
        add(DenseDown, {config_.hidden_size, config_.intermediate_size});
    }

    void add_moe() {
        const std::int64_t width = config_.moe_intermediate_size;
        add(Router, {config_.router.num_experts, config_.hidden_size});
        for (std::int32_t i = 0; i < config_.router.num_experts; ++i) {
            add(ExpertGate, {width, config_.hidden_size}, i);
            add(ExpertUp, {width, config_.hidden_size}, i);
            add(ExpertDown, {config_.hidden_size, width}, i);
        }
    }

    const MoeConfig& config_;
    std::int32_t layer_ = -1;
    std::vector<ModelTensor> tensors_;
};

}  // namespace

std::vector<ModelTensor> model_tensors(const MoeConfig& config) { return Lister(config).list(); }

}  // namespace espalier
