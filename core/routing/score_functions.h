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

/// As reap_standard_error(), of the mean output norm and of the shrunk score.
std::vector<double> ean_mean_standard_error(const LayerStats& stats);
std::vector<double> reap_shrunk_standard_error(const LayerStats& stats);

/// E_e, arXiv:2504.06792.
std::vector<double> score_easy_ep(const LayerStats& stats, const CriterionContext& context);
/// D_e / T: mean over all tokens.
std::vector<double> score_substitution(const LayerStats& stats, const CriterionContext& context);
std::vector<double> substitution_standard_error(const LayerStats& stats);
/// F_ee: the energy that goes with the expert alone.
std::vector<double> score_hope(const LayerStats& stats, const CriterionContext& context);
/// channel_scores(), summed over each expert's channels.
std::vector<double> score_camera(const LayerStats& stats, const CriterionContext& context);
/// sum ||f_e - b_e||^2 / n_e around the mean output b_e, arXiv:2507.00390.
std::vector<double> score_mone(const LayerStats& stats, const CriterionContext& context);
/// The same times the gate mass: what replacing the expert costs all tokens that chose it.
std::vector<double> score_mone_fused(const LayerStats& stats, const CriterionContext& context);

/// @throws Error RunRecipe that says what to collect, if `values` are not `size` many
void require_gathered(const std::vector<double>& values, std::size_t size, OptionalStat stat);

/// sum / count, 0 where nothing was counted.
std::vector<double> mean_per_selection(const std::vector<double>& sum,
                                       const std::vector<std::int64_t>& count);

}  // namespace espalier
