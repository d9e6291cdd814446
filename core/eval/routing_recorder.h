#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "model/forward_observer.h"

namespace espalier {

/// Keeps the routing of the tokens that go through a model, layer by layer, until clear().
class RoutingRecorder : public ForwardObserver {
public:
    struct Layer {
        std::size_t num_experts = 0;
        std::size_t top_k = 0;
        std::vector<float> logits;           ///< [tokens, experts]
        std::vector<std::int32_t> selected;  ///< [tokens, k]
        std::vector<float> weights;          ///< [tokens, k]
        std::vector<float> scores;           ///< [tokens, experts], or empty: see RoutingView
        std::vector<float> outputs;          ///< [tokens, hidden] of the routed experts

        std::span<const float> logits_of(std::size_t token) const;
        std::span<const std::int32_t> selected_of(std::size_t token) const;
        std::span<const float> weights_of(std::size_t token) const;
        /// Empty where the top-k is taken in the order of the logits.
        std::span<const float> scores_of(std::size_t token) const;
        std::size_t num_tokens() const noexcept { return top_k == 0 ? 0 : selected.size() / top_k; }
    };

    void on_activation(Activation what, std::int64_t index, std::span<const float> rows) override;
    void on_routing(std::int64_t layer, const RoutingView& routing) override;
    void on_routed_output(std::int64_t layer, std::span<const float> rows) override;
    void clear();
    const Layer& layer(std::int64_t index) const { return layers_.at(index); }

private:
    std::map<std::int64_t, Layer> layers_;
};

}  // namespace espalier
