#pragma once

#include <cstdint>
#include <span>

namespace espalier {

/// log sum exp of a row of logits, in double.
double log_sum_exp(std::span<const float> logits);

/// Two models' next-token distributions at one position.
struct Divergence {
    double kl = 0;         ///< nats, KL(reference || model)
    double model_nll = 0;  ///< of the token that came
    double reference_nll = 0;
    bool same_best = false;  ///< of equal logits the lower id counts
};

Divergence compare_rows(std::span<const float> reference, std::span<const float> model,
                        std::int32_t token);

}  // namespace espalier
