#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "infer/native_model.h"

namespace espalier {

struct PerplexityOptions {
    std::int64_t context = 512;
    std::int64_t stride =
        0;  ///< 0: windows of `context`, second half scored, as llama-perplexity does
    std::int64_t bos_token = -1;   ///< replaces each window's first token; -1 = the model adds none
    std::int64_t max_windows = 0;  ///< 0 = all
    /// First position of a window whose prediction counts; -1 = context / 2. Not for a stride.
    std::int64_t first_scored = -1;
    bool operator==(const PerplexityOptions&) const = default;
};

struct PerplexityResult {
    double perplexity = 0;
    double mean_nll = 0;      ///< nats a token
    std::int64_t tokens = 0;  ///< scored
};

/// exp of the mean negative log likelihood, accumulated in double. Needs memory for the logits of a
/// few hundred tokens at most. @throws Error DataEmpty if the text is shorter than a window,
/// NumberInvalid if the model computes NaN
PerplexityResult perplexity(
    NativeModel& model, std::span<const std::int32_t> ids, const PerplexityOptions& options,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {},
    std::stop_token stop = {});

}  // namespace espalier
