// Criteria that look at what experts put out, beyond its length.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "routing/score_functions.h"

namespace espalier {

std::vector<double> score_easy_ep(const LayerStats& stats, const CriterionContext& /*context*/) {
    require_gathered(stats.easy_ep_sum, stats.count.size(), OptionalStat::EasyEp);
    return stats.easy_ep_sum;
}

std::vector<double> score_substitution(const LayerStats& stats,
                                       const CriterionContext& /*context*/) {
    require_gathered(stats.substitution_sum, stats.count.size(), OptionalStat::Substitution);
    return mean_per_selection(stats.substitution_sum,
                              std::vector<std::int64_t>(stats.count.size(), stats.tokens));
}

std::vector<double> substitution_standard_error(const LayerStats& stats) {
    std::vector<double> error = score_substitution(stats, {});
    require_gathered(stats.substitution_sq_sum, error.size(), OptionalStat::Substitution);
    const double tokens = std::max(1.0, static_cast<double>(stats.tokens));
    for (std::size_t e = 0; e < error.size(); ++e) {
        const double variance = stats.substitution_sq_sum[e] / tokens - error[e] * error[e];
        error[e] = std::sqrt(std::max(0.0, variance) / tokens);
    }
    return error;
}

std::vector<double> score_hope(const LayerStats& stats, const CriterionContext& /*context*/) {
    const std::size_t experts = stats.count.size();
    require_gathered(stats.gated_gram, experts * experts, OptionalStat::CoactGram);
    std::vector<double> scores(experts);
    for (std::size_t e = 0; e < experts; ++e) scores[e] = stats.gated_gram[e * experts + e];
    return scores;
}

std::vector<double> channel_scores(const LayerStats& stats, double rho) {
    const std::size_t size = std::max(stats.channel_max_sq.size(), stats.count.size());
    require_gathered(stats.channel_energy, size, OptionalStat::Channels);
    require_gathered(stats.channel_max_sq, size, OptionalStat::Channels);
    require_gathered(stats.down_column_sq, size, OptionalStat::Channels);
    std::vector<double> scores(size);
    for (std::size_t c = 0; c < size; ++c) {
        scores[c] = stats.down_column_sq[c] *
                    ((1 - rho) * stats.channel_energy[c] + rho * stats.channel_max_sq[c]);
    }
    return scores;
}

std::vector<double> score_camera(const LayerStats& stats, const CriterionContext& /*context*/) {
    const std::vector<double> channels = channel_scores(stats);
    const std::size_t width = channels.size() / stats.count.size();
    std::vector<double> scores(stats.count.size());
    for (std::size_t e = 0; e < scores.size(); ++e) {
        const auto own = std::span(channels).subspan(e * width, width);
        scores[e] = std::accumulate(own.begin(), own.end(), 0.0);
    }
    return scores;
}

std::vector<double> score_mone(const LayerStats& stats, const CriterionContext& /*context*/) {
    const std::size_t experts = stats.count.size();
    const std::size_t size = std::max(stats.output_sum.size(), experts);
    require_gathered(stats.output_sum, size, OptionalStat::OutputSum);
    const std::size_t hidden = size / experts;
    std::vector<double> scores = mean_per_selection(stats.norm_sq_sum, stats.count);
    for (std::size_t e = 0; e < experts; ++e) {
        if (stats.count[e] == 0) continue;
        double mean_sq = 0;
        for (std::size_t c = 0; c < hidden; ++c) {
            const double mean =
                stats.output_sum[e * hidden + c] / static_cast<double>(stats.count[e]);
            mean_sq += mean * mean;
        }
        scores[e] = std::max(0.0, scores[e] - mean_sq);  // the means were rounded to float32
    }
    return scores;
}

std::vector<double> score_mone_fused(const LayerStats& stats, const CriterionContext& context) {
    std::vector<double> scores = score_mone(stats, context);
    for (std::size_t e = 0; e < scores.size(); ++e) scores[e] *= stats.gate_sum[e];
    return scores;
}

}  // namespace espalier
