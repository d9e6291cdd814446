#pragma once

#include <cstdint>
#include <span>
#include <torch/types.h>

#include "model/tensor_role.h"

namespace espalier {

/// A router's choice for a batch of tokens.
struct RoutedRows {
    torch::Tensor logits;    ///< [tokens, experts] float32; -inf for experts that are masked
    torch::Tensor selected;  ///< [tokens, top_k] int64, ascending in each row
    torch::Tensor weights;   ///< [tokens, top_k], what multiplies the expert outputs
    torch::Tensor scores;    ///< [tokens, experts], see RoutingView; undefined: the logits' order
};

/// One expert's share of a batch, as it was computed.
struct ExpertCall {
    std::int64_t expert = 0;
    std::span<const std::int64_t> tokens;  ///< rows of the batch that chose it, ascending
    std::span<const float> weights;        ///< what multiplies each output row
    torch::Tensor input;                   ///< [rows, hidden]
    torch::Tensor activation;  ///< [rows, width], input of down; undefined for a constant
    torch::Tensor output;      ///< [rows, hidden], before the router's weight
};

/// Watches one layer while it computes, in inference passes. Tensors are contiguous float32, rows
/// in token order; they must not be kept beyond the pass. Does nothing unless overridden.
class LayerTap {
public:
    virtual ~LayerTap() = default;
    /// Input rows of matrices that are no expert's; several roles share one input, and a role's
    /// rows may come in several calls. LatentKeyUp: the queries' part without position, which is
    /// what GGUF files multiply it with.
    virtual void on_input(std::span<const TensorRole> /*roles*/, const torch::Tensor& /*rows*/) {}
    virtual void on_mixer_output(const torch::Tensor& /*rows*/) {}
    /// The residual stream that the feed-forward block's output is added to.
    virtual void on_residual(const torch::Tensor& /*rows*/) {}
    virtual void on_routing(const RoutedRows& /*routing*/) {}
    virtual void on_expert(const ExpertCall& /*call*/) {}
    /// Sum of weight * output over the chosen experts, before any shared expert's is added.
    virtual void on_routed_output(const torch::Tensor& /*rows*/) {}
    virtual void on_feed_forward_output(const torch::Tensor& /*rows*/) {}
};

}  // namespace espalier
