#include "routing/score_functions.h"

#include <fmt/format.h>

#include "base/error.h"
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

void require_gathered(const std::vector<double>& values, std::size_t size, OptionalStat stat) {
    if (values.size() == size && size > 0) return;
    throw Error(
        ErrorCode::RunRecipe,
        fmt::format("The statistics hold nothing about \"{}\", which this needs.", stat_name(stat)),
        fmt::format("Collect again with `calibrate --stats {}`, and keep the file "
                    "`.vectors.safetensors` beside the statistics.",
                    stat_name(stat)));
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
