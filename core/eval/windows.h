#pragma once

#include <cstdint>
#include <vector>

#include "eval/perplexity.h"

namespace espalier {

/// A stretch of the text that runs through the model with an empty cache. Logits at positions
/// first_scored … length - 2 predict the token after each.
struct ScoredWindow {
    std::int64_t begin = 0;  ///< in the text
    std::int64_t length = 0;
    std::int64_t first_scored = 0;  ///< position in the window
    std::int64_t num_scored() const noexcept { return length - 1 - first_scored; }
    bool operator==(const ScoredWindow&) const = default;
};

/// @throws Error DataEmpty if the text is shorter than one window, UsageInvalid for impossible
/// options
std::vector<ScoredWindow> cut_windows(std::int64_t num_tokens, const PerplexityOptions& options);

}  // namespace espalier
