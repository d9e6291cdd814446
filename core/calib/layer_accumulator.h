#pragma once

#include <cstdint>
#include <span>

#include "model/forward_observer.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a token of a batch counts for.
struct TokenTag {
    std::int32_t task = 0;  ///< index into ExpertStats::tasks; -1 = padding, counts for nothing
    std::int32_t half = 0;  ///< 0 or 1
};

/// One expert's share of a batch. Shapes are outermost first; spans that are empty are not
/// measured.
struct ExpertRows {
    std::int64_t expert = 0;
    std::span<const std::int64_t> tokens;  ///< rows of the batch
    std::span<const float> weights;        ///< [rows], what multiplies the outputs
    std::span<const float> input;          ///< [rows, hidden], of gate and up
    std::span<const float> activation;     ///< [rows, width], of down
    std::span<const float> output;         ///< [rows, hidden], before the weight
};

/// Fills LayerStats from what a routed layer computes, in float64; spec "expert pruning" 2. Ids and
/// weights are the model's own: nothing about routing is computed here.
class LayerAccumulator {
public:
    LayerAccumulator(std::int64_t num_experts, std::size_t num_tasks);

    /// @param tags [tokens of the batch]
    void add_routing(const RoutingView& routing, std::span<const TokenTag> tags);
    void add_expert(const ExpertRows& rows, std::span<const TokenTag> tags);

    const LayerStats& stats() const noexcept { return stats_; }

private:
    void add_selection(std::size_t expert, double weight, const TokenTag& tag);

    std::size_t num_experts_;
    LayerStats stats_;
};

/// sums[c] += sum over rows of values[row, c]^2 for rows of `sums.size()` columns.
void add_squares(std::span<const float> values, std::span<double> sums);

}  // namespace espalier
