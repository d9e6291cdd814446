#pragma once

#include <cstdint>

#include "pipeline/plan_estimate.h"
#include "ui/bridge/compress_draft.h"

namespace espalier::ui {

/// What a draft will cost, and what this computer has for it.
struct CostEstimate {
    PlanEstimate plan;
    std::uint64_t diskFreeBytes = 0;
    std::uint64_t memoryFreeBytes = 0;
};

/// Not for the GUI thread. @throws Error if the model cannot be opened or the file type does not
/// suit it
CostEstimate estimateCost(const CompressDraft& draft);

}  // namespace espalier::ui
