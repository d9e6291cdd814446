#pragma once

#include <cstdint>

#include "ui/bridge/compress_draft.h"

namespace espalier::ui {

/// What a draft will cost, as far as it can be known before. Not for the GUI thread.
struct CostEstimate {
    std::uint64_t originalBytes = 0;
    std::uint64_t resultBytes = 0;
    std::uint64_t diskBytes = 0;  ///< results and what the stages leave beside them
    std::uint64_t diskFreeBytes = 0;
    std::int64_t experts = 0;
    std::int64_t keptExperts = 0;
    bool operator==(const CostEstimate&) const = default;
};

/// @throws Error if the model cannot be opened or the file type does not suit it
CostEstimate estimateCost(const CompressDraft& draft);

}  // namespace espalier::ui
