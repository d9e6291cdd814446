#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <torch/types.h>
#include <vector>

#include "model/model_source.h"
#include "nn/expert_storage.h"

namespace espalier {

/// A matrix [out, in] and perhaps a bias [out] (undefined if there is none).
struct Linear {
    torch::Tensor weight;
    torch::Tensor bias;

    /// [rows, in] to [rows, out].
    torch::Tensor operator()(const torch::Tensor& rows) const;
};

/// down(silu(gate(x)) * up(x)): an expert, or a dense feed-forward block.
struct GatedMlp {
    Linear gate;
    Linear up;
    Linear down;
};

/// Experts of one layer: held in float32, or decoded from the mapped model each time one is asked
/// for.
struct ExpertWeights {
    std::vector<GatedMlp> held;
    const ModelSource* source = nullptr;  ///< for experts that are not held; must outlive this
    std::int32_t layer = 0;

    GatedMlp at(std::int64_t expert) const;
};

struct AttentionWeights {
    torch::Tensor norm;  ///< [hidden]
    Linear q;
    Linear k;
    Linear v;
    Linear output;
    torch::Tensor q_norm;  ///< [head_dim], undefined without qk-norm
    torch::Tensor k_norm;
};

/// All weights of one layer in float32; what the layer does not have is undefined.
struct LayerWeights {
    AttentionWeights attention;
    torch::Tensor feed_forward_norm;
    GatedMlp dense;
    Linear router;
    ExpertWeights experts;
};

/// Reads one layer. Stops between tensors.
LayerWeights load_layer(const ModelSource& source, std::int64_t layer, ExpertStorage storage,
                        const std::stop_token& stop);

using TensorVisitor = std::function<void(const TensorKey&, torch::Tensor&)>;

/// Every slot of a layer with what it is for, defined or not; experts only as far as they are held.
void visit_tensors(LayerWeights& weights, std::int32_t layer, const TensorVisitor& visit);

}  // namespace espalier
