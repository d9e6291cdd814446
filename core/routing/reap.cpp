#include <algorithm>
#include <cmath>
#include <numeric>

#include "routing/score_functions.h"

namespace espalier {
namespace {

/// Selections that the layer's mean is worth beside an expert's own; a project default.
constexpr double kPriorSelections = 16.0;

}  // namespace

std::vector<double> score_reap(const LayerStats& stats, const CriterionContext& /*context*/) {
    return mean_per_selection(stats.gated_norm_sum, stats.count);
}

std::vector<double> score_reap_l2(const LayerStats& stats, const CriterionContext& /*context*/) {
    std::vector<double> scores = mean_per_selection(stats.gated_norm_sq_sum, stats.count);
    for (double& score : scores) score = std::sqrt(std::max(0.0, score));
    return scores;
}

std::vector<double> score_reap_shrunk(const LayerStats& stats, const CriterionContext& context) {
    std::vector<double> scores = score_reap(stats, context);
    if (scores.empty()) return scores;
    const double mean =
        std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
    for (std::size_t e = 0; e < scores.size(); ++e) {
        if (stats.count[e] == 0) continue;
        scores[e] = (stats.gated_norm_sum[e] + kPriorSelections * mean) /
                    (static_cast<double>(stats.count[e]) + kPriorSelections);
    }
    return scores;
}

std::vector<double> reap_standard_error(const LayerStats& stats) {
    const std::vector<double> mean = mean_per_selection(stats.gated_norm_sum, stats.count);
    const std::vector<double> square = mean_per_selection(stats.gated_norm_sq_sum, stats.count);
    std::vector<double> error(mean.size(), 0.0);
    for (std::size_t e = 0; e < error.size(); ++e) {
        if (stats.count[e] < 2) continue;
        const double variance = std::max(0.0, square[e] - mean[e] * mean[e]);
        error[e] = std::sqrt(variance / static_cast<double>(stats.count[e]));
    }
    return error;
}

}  // namespace espalier
