#pragma once

#include <cstdint>
#include <stop_token>
#include <torch/types.h>
#include <utility>
#include <vector>

#include "model/model_source.h"
#include "nn/head.h"
#include "nn/layer_weights.h"

namespace espalier {

/// A whole model in memory whose parameters can be trained: the same blocks as the layer-streamed
/// passes, with gradients. A tied embedding is one parameter, TokenEmbedding.
class MoeModel {
public:
    MoeModel(const ModelSource& source, const std::stop_token& stop);

    /// @param ids [batch, length] int64 @return logits [batch, length, vocab]
    torch::Tensor forward(const torch::Tensor& ids, const std::stop_token& stop = {}) const;

    /// Everything that can be trained, in the order of the layers.
    const std::vector<std::pair<TensorKey, torch::Tensor>>& parameters() const noexcept {
        return parameters_;
    }
    const MoeConfig& config() const noexcept { return config_; }

private:
    void register_parameters();

    MoeConfig config_;
    torch::Tensor embedding_;
    std::vector<LayerTensors> layers_;
    Head head_;
    std::vector<std::pair<TensorKey, torch::Tensor>> parameters_;
};

/// Mean cross-entropy in nats of logits[:, :-1] against ids[:, 1:].
torch::Tensor next_token_loss(const torch::Tensor& logits, const torch::Tensor& ids);

}  // namespace espalier
