#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "eval/expert_alignment.h"
#include "eval/routing_recorder.h"
#include "routing/fidelity.h"
#include "routing/output_fidelity.h"

namespace espalier {

/// One layer of two models for some tokens, in which row i is the same token everywhere.
struct LayerRows {
    const RoutingRecorder::Layer& base;
    const RoutingRecorder::Layer& current;
    /// The current layer on the base's input; null where it was not run.
    const RoutingRecorder::Layer* local = nullptr;
    std::span<const float> lost = {};  ///< [tokens, hidden] of removed experts, or empty
};

/// Everything that spec "routing fidelity" says of one layer, summed over tokens.
class LayerComparison {
public:
    LayerComparison(const LayerAlignment& alignment, const RouterConfig& router);

    const LayerAlignment& alignment() const noexcept { return alignment_; }
    /// Adds rows [first, last); tells of each whether both models chose the same.
    void add(const LayerRows& rows, std::size_t first, std::size_t last,
             const std::function<void(std::size_t row, bool is_same)>& on_row = {});
    void merge(const LayerComparison& other);
    LayerFidelity result() const;

private:
    bool add_routing(const RoutingRecorder::Layer& base, const RoutingRecorder::Layer& current,
                     std::size_t row, FidelityAccumulator& sum);
    void add_outputs(const LayerRows& rows, std::size_t row);

    LayerAlignment alignment_;
    FidelityAccumulator routing_;
    FidelityAccumulator local_;
    OutputFidelity output_;
    OutputFidelity local_output_;
    double lost_ = 0;
    std::int64_t lost_tokens_ = 0;
    // The row at hand, in the order of the alignment.
    std::vector<float> logits_;
    std::vector<float> scores_;
    std::vector<std::int32_t> selected_;
};

}  // namespace espalier
