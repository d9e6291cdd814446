#pragma once

#include <cstdint>
#include <span>

#include "calib/calibration_windows.h"
#include "model/moe_config.h"
#include "routing/stat_choice.h"

namespace espalier {

/// Bytes that one worker needs beside the layer, an upper bound.
std::uint64_t worker_bytes(const MoeConfig& config, const TokenWindows& windows,
                           std::span<const MicroBatch> batches,
                           const StatChoice& stats = StatChoice::defaults());

}  // namespace espalier
