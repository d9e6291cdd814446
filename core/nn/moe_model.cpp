#include "nn/moe_model.h"

#include "nn/block.h"
#include "nn/norms.h"
#include "nn/torch_errors.h"
#include "nn/torch_tensors.h"

namespace espalier {

MoeModel::MoeModel(const ModelSource& source, const std::stop_token& stop)
    : config_(source.config()) {
    with_torch_errors([&] {
        embedding_ = decode_tensor(source, {TensorRole::TokenEmbedding});
        head_ = load_head(source);
        if (output_key(source).role == TensorRole::TokenEmbedding) head_.output.weight = embedding_;
        for (std::int64_t layer = 0; layer < config_.num_layers(); ++layer) {
            layers_.push_back(load_layer(source, layer, stop));
            source.release_layer(static_cast<std::int32_t>(layer));
        }
        register_parameters();
    });
}

void MoeModel::register_parameters() {
    const auto add = [this](const TensorKey& key, torch::Tensor& tensor) {
        // The choice of experts is a constant: nothing can be learnt of what only biases it.
        if (!tensor.defined() || key.role == TensorRole::RouterSelectionBias) return;
        parameters_.emplace_back(key, tensor.set_requires_grad(true));
    };
    add({TensorRole::TokenEmbedding}, embedding_);
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        visit_tensors(layers_[layer], static_cast<std::int32_t>(layer), add);
    }
    add({TensorRole::OutputNorm}, head_.norm);
    if (!head_.output.weight.is_same(embedding_)) add({TensorRole::Output}, head_.output.weight);
}

torch::Tensor MoeModel::forward(const torch::Tensor& ids, const std::stop_token& stop) const {
    return with_torch_errors([&] {
        const std::int64_t batch = ids.size(0);
        const std::int64_t length = ids.size(1);
        const Sequences sequences{
            std::vector<std::int64_t>(static_cast<std::size_t>(batch), length)};
        const Rotary rotary(config_.attention.rope, length);
        const std::vector<bool> all_kept;
        torch::Tensor hidden =
            embedding_.index_select(0, ids.reshape({-1})) * config_.embedding_multiplier;
        for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
            hidden = run_block({.config = config_,
                                .layer = static_cast<std::int64_t>(layer),
                                .weights = layers_[layer],
                                .rotary = rotary,
                                .sequences = sequences,
                                .removed = all_kept,
                                .tap = nullptr,
                                .stop = stop},
                               hidden);
        }
        const torch::Tensor normed = rms_norm(hidden, head_.norm, config_.rms_norm_eps);
        return head_.logits(config_, normed).view({batch, length, -1});
    });
}

torch::Tensor next_token_loss(const torch::Tensor& logits, const torch::Tensor& ids) {
    const std::int64_t length = ids.size(1);
    const torch::Tensor log_probs = torch::log_softmax(logits.narrow(1, 0, length - 1), -1);
    const torch::Tensor target = ids.narrow(1, 1, length - 1).unsqueeze(-1);
    return -log_probs.gather(-1, target).mean();
}

}  // namespace espalier
