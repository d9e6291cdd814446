#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/tensor_role.h"

namespace espalier {

/// Values of a forward pass, named as golden vectors and trace files name them.
enum class Activation {
    HiddenStates,  ///< [tokens, hidden]; index l = input of layer l, index num_layers = before the
                   ///< final norm
    AttentionOutput,    ///< [tokens, hidden] of layer l, before it is added
    FeedForwardOutput,  ///< [tokens, hidden] of layer l, before it is added
    FinalNorm,          ///< [tokens, hidden]
    Logits,             ///< [tokens, vocab]
};

/// Routing of one layer for a batch of tokens, in the model's own expert numbering.
struct RoutingView {
    std::int64_t num_experts = 0;
    std::int64_t top_k = 0;
    std::span<const float> logits;           ///< [tokens, num_experts], before softmax
    std::span<const std::int32_t> selected;  ///< [tokens, top_k], ascending expert id in each row
    std::span<const float> weights;  ///< [tokens, top_k], what multiplies the expert outputs
    /// What top-k is taken of where that is not the order of the logits (a selection bias, groups):
    /// [tokens, num_experts], before any group is left out; -inf for experts that are masked.
    std::span<const float> scores = {};
};

/// One expert's share of a batch, as it was computed. Shapes are outermost first.
struct ExpertRows {
    std::int64_t expert = 0;
    std::span<const std::int32_t> tokens;  ///< rows of the batch that chose it, ascending
    std::span<const float> weights;        ///< [rows], what multiplies the outputs
    std::span<const float> input;          ///< [tokens of the batch, hidden], of gate and up
    std::span<const float> activation;     ///< [rows, width], of down; empty for a constant
    std::span<const float> output;         ///< [rows, hidden], before the weight
};

/// Watches a forward pass of either engine. Called on the computing thread, rows in token order.
class ForwardObserver {
public:
    virtual ~ForwardObserver() = default;
    virtual void on_activation(Activation what, std::int64_t index,
                               std::span<const float> rows) = 0;
    virtual void on_routing(std::int64_t layer, const RoutingView& routing) = 0;
    /// What the routed experts of a layer give [tokens, hidden], before any shared expert is added.
    /// Told by the native engine alone.
    virtual void on_routed_output(std::int64_t /*layer*/, std::span<const float> /*rows*/) {}

    // What follows is told by the native engine alone, to whom watches_parts().

    virtual bool watches_parts() const { return false; }
    /// Input [num_tokens, columns] of matrices that are no expert's; several roles share one input,
    /// and a role's rows may come in several calls. LatentKeyUp: the queries' part without
    /// position, which is what GGUF files multiply it with.
    virtual void on_input(std::span<const TensorRole> /*roles*/, std::span<const float> /*rows*/,
                          std::size_t /*num_tokens*/) {}
    /// The residual stream that the feed-forward block's output is added to.
    virtual void on_residual(std::span<const float> /*rows*/) {}
    /// After on_routing(), experts ascending.
    virtual void on_expert(const ExpertRows& /*rows*/) {}
    /// Experts to evaluate beside the chosen ones for on_extra_expert() alone, one a token, -1 for
    /// none: nothing that the layer computes changes. Empty: none. Asked after on_routing().
    virtual std::span<const std::int64_t> extra_experts() const { return {}; }
    /// @param rows without weights
    virtual void on_extra_expert(const ExpertRows& /*rows*/) {}
};

}  // namespace espalier
