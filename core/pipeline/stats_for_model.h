#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/model_source.h"
#include "routing/expert_stats.h"

namespace espalier {

/// The statistics of a model as if it had been measured after cutting: expert e of layer l takes
/// the numbers of expert `positions[l][e]`.
/// @throws Error RunRecipe if a position or a layer is not in the statistics
ExpertStats restrict_stats(const ExpertStats& stats,
                           const std::vector<std::vector<std::int32_t>>& positions);

/// Statistics in the numbering of `model`, which is the measured model itself, its base, or was cut
/// from it.
/// @param measured the model that was measured, if it is at hand: needed where that one had been
/// cut already; null otherwise
/// @throws Error RunRecipe if they belong to another model
ExpertStats stats_for_model(const ExpertStats& stats, const ModelSource& model,
                            const ModelSource* measured = nullptr);

/// load_expert_stats(), then the above.
/// @param measured folder or file of the model that was measured; empty = not at hand
ExpertStats load_stats_for_model(const std::filesystem::path& path, const ModelSource& model,
                                 bool with_vectors = false,
                                 const std::filesystem::path& measured = {});

}  // namespace espalier
