#include "routing/score_functions.h"

#include <fmt/format.h>

#include "base/rng.h"

namespace espalier {

std::vector<double> mean_per_selection(const std::vector<double>& sum,
                                       const std::vector<std::int64_t>& count) {
    std::vector<double> mean(count.size(), 0.0);
    for (std::size_t e = 0; e < mean.size(); ++e) {
        if (count[e] > 0) mean[e] = sum[e] / static_cast<double>(count[e]);
    }
    return mean;
}

std::vector<double> score_frequency(const LayerStats& stats, const CriterionContext& /*context*/) {
    return {stats.count.begin(), stats.count.end()};
}

std::vector<double> score_gate_mass(const LayerStats& stats, const CriterionContext& /*context*/) {
    return stats.gate_sum;
}

std::vector<double> score_ean_sum(const LayerStats& stats, const CriterionContext& /*context*/) {
    return stats.norm_sum;
}

std::vector<double> score_ean_mean(const LayerStats& stats, const CriterionContext& /*context*/) {
    return mean_per_selection(stats.norm_sum, stats.count);
}

std::vector<double> score_wean_sum(const LayerStats& stats, const CriterionContext& /*context*/) {
    return stats.gated_norm_sum;
}

std::vector<double> score_max_act(const LayerStats& stats, const CriterionContext& /*context*/) {
    return stats.max_abs;
}

std::vector<double> score_random(const LayerStats& stats, const CriterionContext& context) {
    Rng rng = Rng(context.seed).stream(fmt::format("prune.random.{}", context.layer));
    std::vector<double> scores(stats.count.size());
    for (double& score : scores) score = rng.uniform();
    return scores;
}

}  // namespace espalier
