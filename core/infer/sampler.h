#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace espalier {

struct SamplingOptions {
    double temperature = 0.0;  ///< 0 = greedy: the highest logit, the lower id of equals
    std::int64_t top_k = 0;    ///< 0 = off
    double top_p = 1.0;
    double min_p = 0.0;
    double repetition_penalty = 1.0;     ///< over the last repetition_window tokens
    std::int64_t repetition_window = 64;
    std::uint64_t seed = 0;
    bool operator==(const SamplingOptions&) const = default;
};

/// @throws Error UsageInvalid naming the field and its range
void validate(const SamplingOptions& options);

/// Chooses the next token. Order: repetition penalty, temperature, top-k, top-p, min-p, draw.
class Sampler {
public:
    explicit Sampler(const SamplingOptions& options);
    std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history);

private:
    SamplingOptions options_;
    Rng rng_;
    std::vector<float> scores_;
    std::vector<std::int32_t> order_;
};

}  // namespace espalier
