#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <torch/types.h>
#include <vector>

#include "model/model_source.h"

namespace espalier {

/// A matrix [out, in] and perhaps a bias [out] (undefined if there is none).
struct Linear {
    torch::Tensor weight;
    torch::Tensor bias;

    /// [rows, in] to [rows, out].
    torch::Tensor operator()(const torch::Tensor& rows) const;
};

/// down(activation(gate(x), up(x))): an expert, a shared expert, or a dense feed-forward block.
struct GatedMlp {
    Linear gate;
    Linear up;
    Linear down;
    /// [hidden], of an expert without weights: its output for every row.
    torch::Tensor constant = {};
};

/// Full and sliding attention; of MLA only `output`.
struct AttentionTensors {
    Linear q;
    Linear k;
    Linear v;
    Linear output;
    torch::Tensor q_norm;  ///< [head_dim] or all heads' rows, undefined without qk-norm
    torch::Tensor k_norm;
    torch::Tensor sinks;  ///< [heads], undefined without
};

/// MLA, beside its output matrix.
struct LatentTensors {
    Linear q;       ///< without a query rank
    Linear q_down;  ///< with one, then q_norm and q_up
    torch::Tensor q_norm;
    Linear q_up;
    Linear kv_down;
    torch::Tensor kv_norm;
    Linear key_up;
    Linear value_up;
};

struct DeltaNetTensors {
    Linear qkv;
    Linear z;
    Linear beta;
    Linear decay;
    torch::Tensor convolution;  ///< [channels, kernel]
    torch::Tensor log_a;        ///< [value heads]
    torch::Tensor decay_bias;   ///< [value heads]
    torch::Tensor norm;         ///< [value_dim]
    Linear output;
};

struct ShortConvolutionTensors {
    Linear in;
    torch::Tensor kernel;  ///< [hidden, kernel]
    torch::Tensor bias;    ///< [hidden]
    Linear out;
};

struct RouterWeights {
    Linear linear;
    torch::Tensor selection_bias;  ///< [experts]
};

struct SharedExpertWeights {
    GatedMlp mlp;
    Linear score;  ///< [1, hidden], undefined without a gate
};

/// All weights of one layer in float32; what the layer does not have is undefined.
struct LayerTensors {
    torch::Tensor mixer_norm;  ///< [hidden]
    AttentionTensors attention;
    LatentTensors latent;
    DeltaNetTensors delta_net;
    ShortConvolutionTensors convolution;
    torch::Tensor feed_forward_norm;
    GatedMlp dense;
    RouterWeights router;
    std::vector<GatedMlp> experts;
    SharedExpertWeights shared_expert;
};

/// Reads one layer. Stops between tensors.
LayerTensors load_layer(const ModelSource& source, std::int64_t layer, const std::stop_token& stop);

using TensorVisitor = std::function<void(const TensorKey&, torch::Tensor&)>;

/// Every slot of a layer with what it is for, defined or not; experts as many as there are.
void visit_tensors(LayerTensors& weights, std::int32_t layer, const TensorVisitor& visit);

}  // namespace espalier
