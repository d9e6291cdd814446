#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/expert_mask.h"
#include "model/moe_config.h"

namespace espalier {

/// Which experts a batch of tokens goes to.
struct Routing {
    std::vector<std::int32_t> selected;  ///< [tokens, top_k], ascending expert ids in each row
    std::vector<float> weights;          ///< [tokens, top_k], what multiplies the expert outputs
    std::vector<float> scores;           ///< [tokens, num_experts], see RoutingView; or empty
};

/// Turns router logits [tokens, num_experts] into a choice: scores in float32, the top_k best of
/// the best groups, the lower id of equals. An expert with logit -inf is never chosen while top_k
/// others remain; where the best groups have fewer than top_k left, the others fill up.
/// @param selection_bias [num_experts], added to scores for the choice alone; empty: none
void route(const RouterConfig& config, std::span<const float> logits,
           std::span<const float> selection_bias, Routing& routing);

/// Whether the weights of the chosen experts are the same whatever the others' logits.
bool weighs_chosen_alone(const RouterConfig& config) noexcept;

/// Sets the logits of masked experts to -inf.
void apply_mask(const ExpertMask& mask, std::int64_t layer, std::int64_t num_experts,
                std::span<float> logits);

/// @throws Error RunRecipe if the mask does not fit the model or leaves fewer than top_k experts
void validate_mask(const MoeConfig& config, const ExpertMask& mask);

}  // namespace espalier
