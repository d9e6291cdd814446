#pragma once

#include <vector>

#include "routing/criterion.h"

namespace espalier {

/// The functions behind the table of criteria; spec "expert pruning" 3 and 4. All return [experts].

std::vector<double> score_frequency(const LayerStats& stats, const CriterionContext& context);
std::vector<double> score_gate_mass(const LayerStats& stats, const CriterionContext& context);
std::vector<double> score_ean_sum(const LayerStats& stats, const CriterionContext& context);
std::vector<double> score_ean_mean(const LayerStats& stats, const CriterionContext& context);
std::vector<double> score_wean_sum(const LayerStats& stats, const CriterionContext& context);
std::vector<double> score_max_act(const LayerStats& stats, const CriterionContext& context);
/// Uniform numbers from the seed, a stream of their own for each layer: the control of every
/// experiment.
std::vector<double> score_random(const LayerStats& stats, const CriterionContext& context);

/// R_e / n_e, arXiv:2510.13999.
std::vector<double> score_reap(const LayerStats& stats, const CriterionContext& context);
/// sqrt(R2_e / n_e)
std::vector<double> score_reap_l2(const LayerStats& stats, const CriterionContext& context);
/// (R_e + 16 S) / (n_e + 16) with S the layer's mean score: trusts experts with few tokens less. An
/// expert without any token still scores 0.
std::vector<double> score_reap_shrunk(const LayerStats& stats, const CriterionContext& context);

/// sum / count, 0 where nothing was counted.
std::vector<double> mean_per_selection(const std::vector<double>& sum,
                                       const std::vector<std::int64_t>& count);

}  // namespace espalier
