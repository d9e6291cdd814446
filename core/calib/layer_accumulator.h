#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calib/token_tags.h"
#include "model/forward_observer.h"
#include "model/moe_config.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What the experts' outputs are added to, and what they add. Both [tokens, hidden].
struct StreamRows {
    std::span<const float> residual;
    std::span<const float> routed;  ///< weighted outputs, without any shared expert's
    double multiplier = 1.0;        ///< of what is added
};

/// Fills LayerStats from what a routed layer computes, in float64; spec "expert pruning" 2. Ids and
/// weights are the model's own: nothing about routing is computed here. A batch is its routing,
/// then its experts, then its streams.
class LayerAccumulator {
public:
    /// @param router its number of experts alone counts for most statistics
    LayerAccumulator(const RouterConfig& router, std::size_t num_tasks,
                     const StatChoice& choice = StatChoice::defaults());

    /// @param tags [tokens of the batch]
    void add_routing(const RoutingView& routing, std::span<const TokenTag> tags);
    /// Spans of `rows` that are empty are not measured.
    void add_expert(const ExpertRows& rows, std::span<const TokenTag> tags);
    void add_streams(const StreamRows& streams, std::span<const TokenTag> tags);
    /// The rows of sampled tokens of what the experts are given, [tokens, hidden].
    /// @param num_samples of all batches
    void add_inputs(std::span<const float> rows, std::span<const TokenTag> tags,
                    std::size_t num_samples);
    /// Logits of sampled tokens, as add_inputs().
    void add_profiles(const RoutingView& routing, std::span<const TokenTag> tags,
                      std::size_t num_samples);

    const LayerStats& stats() const noexcept { return stats_; }
    LayerStats& stats() noexcept { return stats_; }

private:
    void add_selection(std::size_t expert, double weight, const TokenTag& tag);
    void add_router_mass(std::span<const float> logits);
    void add_context(std::size_t expert, double weight, const TokenTag& tag);
    void add_gated_norm(std::size_t expert, double gated, std::size_t token, const TokenTag& tag);
    void add_long_vectors(const ExpertRows& rows, std::size_t row);

    std::size_t num_experts_;
    StatChoice choice_;
    LayerStats stats_;
    /// Of the batch at hand: who was chosen, and gate * norm in the same places.
    std::size_t top_k_ = 0;
    std::vector<std::int32_t> selected_;
    std::vector<double> gated_norms_;
    std::vector<double> probabilities_;  ///< of one token
};

/// sums[c] += sum over rows of values[row, c]^2 for rows of `sums.size()` columns.
void add_squares(std::span<const float> values, std::span<double> sums);

}  // namespace espalier
