#pragma once

#include <cstdint>
#include <span>

#include "calib/calibration_windows.h"
#include "model/moe_config.h"
#include "routing/stat_choice.h"

namespace espalier {

/// Tokens that are in memory together.
struct TokenExtent {
    std::int64_t batch = 1;   ///< in a micro-batch
    std::int64_t window = 1;  ///< in its longest window
};

/// The largest of these batches.
TokenExtent extent_of(const TokenWindows& windows, std::span<const MicroBatch> batches);
/// Of a calibration on windows of `context` tokens, before its texts are read.
TokenExtent extent_of(std::int64_t context);

/// Bytes that one worker needs beside copies of weights, an upper bound.
std::uint64_t worker_bytes(const MoeConfig& config, const TokenExtent& extent,
                           const StatChoice& stats = StatChoice::defaults());

}  // namespace espalier
