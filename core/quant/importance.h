#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/tensor_role.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Mean input energy E[x^2] per column, by which the encoders weigh errors. Every expert has its
/// own, shrunk towards the layer's mean with a prior of 64 tokens (spec "quantisation" 3), so that
/// an expert that was hardly ever chosen is not judged by a handful of tokens.
class ColumnImportance {
public:
    /// @param stats with long vectors; must outlive this object
    explicit ColumnImportance(const ExpertStats& stats) : stats_(stats) {}

    /// Empty if the statistics do not have the matrix. The span is valid until the next call.
    /// @param key for experts: of one expert, not of the stack
    std::span<const float> of(const TensorKey& key);

private:
    std::span<const float> of_expert(const TensorKey& key);

    const ExpertStats& stats_;
    std::vector<float> importance_;
    /// Mean over the tokens of all experts, kept while the same layer and input are asked for.
    std::vector<double> layer_mean_;
    const std::vector<double>* mean_of_ = nullptr;
};

/// The same for a single matrix.
std::vector<float> column_importance(const ExpertStats& stats, const TensorKey& key);

}  // namespace espalier
