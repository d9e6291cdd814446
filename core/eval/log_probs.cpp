#include "eval/log_probs.h"

#include <algorithm>
#include <cmath>

namespace espalier {

double log_sum_exp(std::span<const float> logits) {
    const auto largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    double sum = 0.0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return largest + std::log(sum);
}

Divergence compare_rows(std::span<const float> reference, std::span<const float> model,
                        std::int32_t token) {
    const double reference_sum = log_sum_exp(reference);
    const double model_sum = log_sum_exp(model);
    Divergence result;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        const double log_p = static_cast<double>(reference[i]) - reference_sum;
        const double log_q = static_cast<double>(model[i]) - model_sum;
        result.kl += std::exp(log_p) * (log_p - log_q);
    }
    const auto index = static_cast<std::size_t>(token);
    result.model_nll = model_sum - static_cast<double>(model[index]);
    result.reference_nll = reference_sum - static_cast<double>(reference[index]);
    result.same_best = std::max_element(reference.begin(), reference.end()) - reference.begin() ==
                       std::max_element(model.begin(), model.end()) - model.begin();
    return result;
}

}  // namespace espalier
