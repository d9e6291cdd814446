#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "model/model_source.h"
#include "prune/merge_experts.h"

namespace espalier {

/// The model with the experts of one layer merged as write_pruned() would write them: their means,
/// in the type of the file, stand in place of the survivors. Members are still there; mask them.
/// Keeps the model by reference, and the means in memory.
/// @throws Error as require_mergeable(); Cancelled
std::unique_ptr<const ModelSource> merged_layer(const MergeInput& input, std::int64_t layer,
                                                std::stop_token stop);

}  // namespace espalier
