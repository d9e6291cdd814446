#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/moe_config.h"
#include "routing/provenance.h"

namespace espalier {

/// Which experts of two models are the same in one layer, by ascending reference id.
struct LayerAlignment {
    std::int64_t layer = 0;
    std::vector<std::int32_t> reference_ids;
    std::vector<std::int32_t> model_ids;          ///< of the same experts
    std::vector<std::int32_t> position_of_model;  ///< [model experts] -> index above, -1 = masked
    /// Reference ids that were merged into one of the model's experts, and its index above.
    std::vector<std::pair<std::int32_t, std::int32_t>> merged = {};
    bool operator==(const LayerAlignment&) const = default;
};

/// No layer where routing cannot be compared: other layers are routed, or nothing says which
/// experts of different numbers are the same.
/// @param expert_map see ComparisonInput
/// @throws Error RunRecipe if not even predictions can be compared, or the map does not fit
std::vector<LayerAlignment> align_experts(const MoeConfig& reference, const MoeConfig& model,
                                          const std::vector<std::vector<std::int32_t>>& expert_map,
                                          const ExpertMask& mask);

/// Adds what was merged into the model's experts. Originals that the reference lacks are passed
/// over: it has none of their mass.
/// @param reference_map the reference's provenance
void add_merged(const MergedExperts& merged,
                const std::vector<std::vector<std::int32_t>>& reference_map,
                std::vector<LayerAlignment>& layers);

/// Maps ids of a base model to the numbering of one that was cut from it, so that two cut models
/// can be compared. @throws Error RunRecipe if `model_map` names an expert that `reference_map`
/// lacks
std::vector<std::vector<std::int32_t>> map_between(
    const std::vector<std::vector<std::int32_t>>& model_map,
    const std::vector<std::vector<std::int32_t>>& reference_map);

}  // namespace espalier
