#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "calib/calibrate_request.h"
#include "calib/token_tags.h"
#include "data/dataset.h"
#include "model/model_source.h"

namespace espalier {

/// Everything that a calibration reads, before it is shared out.
struct CalibrationWindows {
    TokenWindows windows;
    std::string data_hash;
    std::string tokenizer_hash;   ///< empty for given ids
    std::int64_t own_tokens = 0;  ///< that the model wrote itself, their beginnings included
};

/// Tokenises the request's data, or reads its ids; with what the model wrote itself between them.
/// @throws Error DataLine, DataEmpty, FileMissing; FileMalformed
CalibrationWindows read_calibration_windows(const CalibrateRequest& request,
                                            const ModelSource& source);

/// Consecutive whole windows that are computed together.
struct MicroBatch {
    std::size_t first_window = 0;
    std::size_t num_windows = 0;
    std::int64_t first_row = 0;  ///< of the shard's hidden states
    std::int64_t num_tokens = 0;
};

/// Tokens aimed at in a micro-batch: enough for an expert of 128 to get a few hundred rows.
inline constexpr std::int64_t kMicroBatchTokens = 4096;

/// Cuts the windows. Depends on them alone: not on threads, memory or the shard, so that a token's
/// numbers have the same bits wherever it is computed.
std::vector<MicroBatch> cut_micro_batches(const TokenWindows& windows);

/// Every eighth batch, those that make it every fourth, every second, all: the ones that doubling
/// `index` of kDoublings adds, rows renumbered. May be none.
std::vector<MicroBatch> doubling_of(const std::vector<MicroBatch>& batches, std::size_t index);

/// The batches of shard `index` of `count`, rows renumbered. @throws Error DataEmpty if it has none
std::vector<MicroBatch> shard_of(const std::vector<MicroBatch>& batches, std::int64_t index,
                                 std::int64_t count);

}  // namespace espalier
