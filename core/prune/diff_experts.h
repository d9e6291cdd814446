#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <vector>

#include "model/model_source.h"
#include "prune/expert_plan.h"

namespace espalier {

/// Where the experts of one layer of a cut model come from.
struct LayerDiff {
    std::vector<std::int32_t> original;  ///< of each of the cut model's experts
    /// Of each: 1 = no other expert of the original is like it, 0 = another is just as near.
    std::vector<double> certainty;
    bool is_equal = false;  ///< every matrix has the original's bytes
};

/// Finds the experts that a cut model still has by comparing weights, for cuts that do not say it
/// themselves: equal bytes, or, where weights were quantised or trained on, the nearest by a sample
/// of each expert's gate matrix.
/// @param progress told how many of all layers are done
/// @throws Error RunRecipe if the models do not have the same shape but for the experts, or if an
/// expert resembles none, or two resemble the same one: then experts were merged, or it is another
/// model; Cancelled
std::map<std::int64_t, LayerDiff> diff_experts(
    const ModelSource& original, const ModelSource& cut,
    const std::function<void(std::size_t done, std::size_t total)>& progress = {},
    std::stop_token stop = {});

/// The plan that cuts `original` to these experts; criterion "diff", its reasons hold certainties.
ExpertPlan plan_of_diff(const ModelSource& original, const std::map<std::int64_t, LayerDiff>& diff);

}  // namespace espalier
