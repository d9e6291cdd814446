#include <algorithm>
#include <cmath>
#include <numeric>

#include "routing/score_functions.h"

namespace espalier {
namespace {

/// Selections that the layer's mean is worth beside an expert's own; a project default.
constexpr double kPriorSelections = 16.0;

/// sqrt((squares/n - mean^2)/n).
std::vector<double> standard_error(const std::vector<double>& sum,
                                   const std::vector<double>& squares,
                                   const std::vector<std::int64_t>& count) {
    const std::vector<double> mean = mean_per_selection(sum, count);
    const std::vector<double> square = mean_per_selection(squares, count);
    std::vector<double> error(mean.size(), 0.0);
    for (std::size_t e = 0; e < error.size(); ++e) {
        if (count[e] < 2) continue;
        const double variance = std::max(0.0, square[e] - mean[e] * mean[e]);
        error[e] = std::sqrt(variance / static_cast<double>(count[e]));
    }
    return error;
}

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
    return standard_error(stats.gated_norm_sum, stats.gated_norm_sq_sum, stats.count);
}

std::vector<double> reap_shrunk_standard_error(const LayerStats& stats) {
    // The layer's mean is taken as known.
    std::vector<double> error = reap_standard_error(stats);
    for (std::size_t e = 0; e < error.size(); ++e) {
        const auto count = static_cast<double>(stats.count[e]);
        error[e] *= count / (count + kPriorSelections);
    }
    return error;
}

std::vector<double> ean_mean_standard_error(const LayerStats& stats) {
    return standard_error(stats.norm_sum, stats.norm_sq_sum, stats.count);
}

}  // namespace espalier
