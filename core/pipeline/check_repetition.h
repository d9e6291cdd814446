#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>

#include "base/json.h"
#include "model/model_source.h"

namespace espalier {

struct TextsToCheck {
    const ModelSource& model;
    std::filesystem::path out;  ///< what was made of it
    std::int64_t tokens = 512;  ///< of each text; 0 = nothing is checked
    std::size_t num_threads = 0;
    std::function<void(double share)> progress = {};
};

/// Lets a pruned model write, and the original beside it, and warns if it repeats itself more. A
/// model that lies on the disk because memory is too small for it would take hours: it does not
/// write. Nor does one without a tokenizer.
/// @return {"loop_rate", "loop_rate_worst", "loop_rate_original"}, those that were measured
/// @throws Error; Cancelled
Json check_repetition(const TextsToCheck& texts, std::stop_token stop = {});

}  // namespace espalier
