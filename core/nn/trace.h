#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "model/expert_mask.h"
#include "model/forward_observer.h"
#include "model/model_source.h"

namespace espalier {

/// A float32 forward pass, layer by layer, one layer in memory at a time. The observer is called
/// for one batch of whole rows after the other within each layer, so rows come in token order.
/// @param ids [rows][tokens], rows of any length
/// @throws Error, Cancelled
void trace_model(const ModelSource& source, const std::vector<std::vector<std::int32_t>>& ids,
                 const ExpertMask& mask, ForwardObserver& observer, const std::stop_token& stop);

}  // namespace espalier
