#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calib/layer_accumulator.h"
#include "model/forward_observer.h"
#include "model/moe_config.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Keeps what every token of a batch got from each of its experts, and from the runner-up where
/// that is asked for, until all are there: for the statistics in which experts of one token meet.
/// This is what makes them costly: [tokens, top_k + 1, hidden] in memory.
class TokenOutputs {
public:
    /// @param choice CoactGram or Substitution or both
    TokenOutputs(const RouterConfig& config, const RoutingView& routing, const StatChoice& choice);

    /// [tokens], -1 for nobody; empty if nobody is asked for.
    const std::vector<std::int64_t>& runner_ups() const noexcept { return runner_ups_; }

    /// Of a chosen expert or of a runner-up: whichever it is for that token.
    void add(const ExpertRows& rows);

    /// Adds to the sums when all outputs are there.
    /// @param residual [tokens, hidden], what the experts' output is added to
    void finish(std::span<const float> residual, std::span<const TokenTag> tags,
                LayerStats& stats) const;

private:
    std::size_t slot_of(std::size_t token, std::int64_t expert) const;
    void add_gram(std::size_t token, std::span<const double> gram, LayerStats& stats) const;
    void add_substitution(std::size_t token, std::span<const double> gram, double stream_sq,
                          LayerStats& stats) const;

    const RouterConfig& config_;
    StatChoice choice_;
    std::size_t experts_;
    std::size_t top_k_;
    std::size_t slots_;  ///< top_k, and one more for the runner-up
    std::vector<float> logits_;
    std::vector<std::int32_t> selected_;
    std::vector<float> weights_;
    std::vector<std::int64_t> runner_ups_;
    std::size_t hidden_ = 0;
    std::vector<float> outputs_;  ///< [tokens, slots, hidden]
};

}  // namespace espalier
