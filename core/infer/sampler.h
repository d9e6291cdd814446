#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace espalier {

struct SamplingOptions {
    double temperature = 0.0;         ///< 0 = greedy: the highest logit, the lower id of equals
    std::int64_t top_k = 0;           ///< the so many best; 0 = all
    double top_p = 1.0;               ///< the fewest best whose probabilities reach this sum
    double min_p = 0.0;               ///< those at least this share as probable as the best
    double repetition_penalty = 1.0;  ///< over the last repetition_window tokens, arXiv:1909.05858
    std::int64_t repetition_window = 64;
    std::uint64_t seed = 0;
    bool operator==(const SamplingOptions&) const = default;
};

/// @throws Error UsageInvalid naming the field and its range
void validate(const SamplingOptions& options);

/// Chooses the next token. Order: repetition penalty, temperature, top-k, top-p, min-p, draw.
/// Same seed, logits and history: same token.
class Sampler {
public:
    explicit Sampler(const SamplingOptions& options);

    /// @param logits [vocab]
    /// @param history prompt and answer so far; only its end is looked at
    /// @throws Error NumberInvalid if the best logit is NaN or infinite
    std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history);

private:
    void penalise_repetition(std::span<const std::int32_t> history);
    void keep_top_k();
    void to_probabilities();
    void keep_top_p();
    void keep_min_p();
    std::int32_t draw();

    SamplingOptions options_;
    Rng rng_;
    std::vector<float> scores_;        ///< [vocab], logits after the penalty
    std::vector<std::int32_t> order_;  ///< candidates
    std::vector<double> probs_;        ///< of the candidates, in their order; not normalised
};

}  // namespace espalier
