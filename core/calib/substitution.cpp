#include "calib/substitution.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calib/row_sums.h"
#include "model/router_groups.h"

namespace espalier {
namespace {

/// Logarithm of the softmax' denominator without expert `gone`.
double log_sum_without(std::span<const float> logits, std::size_t gone) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t e = 0; e < logits.size(); ++e) {
        if (e != gone) largest = std::max(largest, static_cast<double>(logits[e]));
    }
    double sum = 0;
    for (std::size_t e = 0; e < logits.size(); ++e) {
        if (e != gone) sum += std::exp(static_cast<double>(logits[e]) - largest);
    }
    return largest + std::log(sum);
}

}  // namespace

std::vector<std::int64_t> runner_ups(const RouterConfig& config, const RoutingView& routing) {
    const auto experts = static_cast<std::size_t>(routing.num_experts);
    const auto k = static_cast<std::size_t>(routing.top_k);
    const std::span<const float> ranked = routing.scores.empty() ? routing.logits : routing.scores;
    constexpr float kGone = -std::numeric_limits<float>::infinity();
    std::vector<std::int64_t> found(routing.selected.size() / k, -1);
    std::vector<float> row(experts);
    for (std::size_t t = 0; t < found.size(); ++t) {
        const auto scores = row_of(ranked, t, experts);
        std::copy(scores.begin(), scores.end(), row.begin());
        keep_best_groups(config, row);
        for (const std::int32_t chosen : row_of(routing.selected, t, k)) {
            row[static_cast<std::size_t>(chosen)] = kGone;
        }
        const auto best = std::max_element(row.begin(), row.end());
        if (*best > kGone) found[t] = best - row.begin();
    }
    return found;
}

void gates_without(const RouterConfig& config, const Absence& absence, std::span<double> gates) {
    const std::size_t k = absence.chosen.size();
    const bool is_softmax = config.scoring == RouterScoring::Softmax;
    const double log_sum =
        is_softmax ? log_sum_without(absence.logits,
                                     static_cast<std::size_t>(absence.chosen[absence.gone]))
                   : 0.0;
    const auto score = [&](std::int64_t expert) {
        const auto logit = static_cast<double>(absence.logits[static_cast<std::size_t>(expert)]);
        return is_softmax ? std::exp(logit - log_sum) : 1.0 / (1.0 + std::exp(-logit));
    };
    double sum = 0;
    for (std::size_t i = 0; i <= k; ++i) {
        const std::int64_t expert = i < k ? absence.chosen[i] : absence.runner_up;
        gates[i] = i == absence.gone || expert < 0 ? 0.0 : score(expert);
        sum += gates[i];
    }
    double factor = config.scale;
    if (config.normalises_top_k) {
        const double divisor = sum + config.normalising_epsilon;
        factor = divisor > 0 ? factor / divisor : 0.0;  // of one expert, gone without a successor
    }
    for (double& gate : gates) gate *= factor;
}

}  // namespace espalier
