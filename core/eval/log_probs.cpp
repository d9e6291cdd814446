#include "eval/log_probs.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/exp_sums.h"
#include "kernels/vector_ops.h"

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

/// Of equal logits the lowest id is the best.
bool is_best(std::span<const float> logits, float largest, std::int32_t id) {
    const auto before = logits.first(static_cast<std::size_t>(id));
    return logits[before.size()] == largest &&
           std::find(before.begin(), before.end(), largest) == before.end();
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

namespace {

/// A row of logits from its largest on: what is probable comes out small, and its error with it.
struct Logits {
    explicit Logits(std::span<const float> values)
        : row(values),
          largest(kernels::max_value(row)),
          log_sum(std::log(kernels::sum_exp(row, largest))) {}

    double nll(std::int32_t token) const {
        const float logit = row[static_cast<std::size_t>(token)];
        return log_sum - (static_cast<double>(logit) - static_cast<double>(largest));
    }
    /// Sum of p log q, for the q of this row.
    double expected_log(std::span<const float> probabilities, double probability_sum) const {
        return kernels::weighted_sum(probabilities, row, largest) - log_sum * probability_sum;
    }

    std::span<const float> row;
    float largest;
    double log_sum;  ///< of exp(logit - largest)
};

}  // namespace

ReferenceRow to_reference_row(std::span<float> logits, std::int32_t token) {
    const std::vector<float> copy(logits.begin(), logits.end());
    const Logits reference(copy);
    ReferenceRow row;
    row.nll = reference.nll(token);
    row.best = best_of(copy);
    kernels::softmax(logits);
    // Of the rounded probabilities, so that what is compared later cancels.
    for (const float p : logits) row.probability_sum += static_cast<double>(p);
    row.negative_entropy = reference.expected_log(logits, row.probability_sum);
    return row;
}

Divergence compare_with(const ReferenceRow& reference, std::span<const float> probabilities,
                        std::span<const float> model, std::int32_t token) {
    const Logits logits(model);
    return {.kl = reference.negative_entropy -
                  logits.expected_log(probabilities, reference.probability_sum),
            .model_nll = logits.nll(token),
            .reference_nll = reference.nll,
            .same_best = is_best(model, logits.largest, reference.best)};
}

}  // namespace espalier
