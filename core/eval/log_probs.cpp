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

namespace {

std::int32_t best_of(std::span<const float> logits) {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                     logits.begin());
}

}  // namespace

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
    result.same_best = best_of(reference) == best_of(model);
    return result;
}

ReferenceRow to_reference_row(std::span<float> logits, std::int32_t token) {
    const double sum = log_sum_exp(logits);
    ReferenceRow row;
    row.best = best_of(logits);
    row.nll = sum - static_cast<double>(logits[static_cast<std::size_t>(token)]);
    for (float& value : logits) {
        const double log_p = static_cast<double>(value) - sum;
        value = static_cast<float>(std::exp(log_p));
        // Of the rounded probability, so that what is compared later cancels.
        row.negative_entropy += static_cast<double>(value) * log_p;
    }
    return row;
}

Divergence compare_with(const ReferenceRow& reference, std::span<const float> probabilities,
                        std::span<const float> model, std::int32_t token) {
    const double sum = log_sum_exp(model);
    double expected = 0.0;
    for (std::size_t i = 0; i < model.size(); ++i) {
        expected += static_cast<double>(probabilities[i]) * (static_cast<double>(model[i]) - sum);
    }
    return {.kl = reference.negative_entropy - expected,
            .model_nll = sum - static_cast<double>(model[static_cast<std::size_t>(token)]),
            .reference_nll = reference.nll,
            .same_best = best_of(model) == reference.best};
}

}  // namespace espalier
