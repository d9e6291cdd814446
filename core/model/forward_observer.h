#pragma once

#include <cstdint>
#include <span>

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
};

}  // namespace espalier
