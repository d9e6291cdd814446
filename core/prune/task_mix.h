#pragma once

#include <map>
#include <string>
#include <vector>

#include "prune/joint_choice.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

namespace espalier {

/// A weight for each task of the statistics, 0 for those that are not named; all 1 if none is.
/// @throws Error RunRecipe for a task that the statistics do not know, a weight that is no weight,
/// or nothing but zeros
std::vector<double> weights_of_tasks(const ExpertStats& stats,
                                     const std::map<std::string, double>& named);

/// Ranks as numbers from 0 (worst) to 1 (best); equal scores share the mean of their places.
std::vector<double> rank_normalised(const std::vector<double>& scores);

/// Sum over the tasks of weight times rank-normalised score.
/// @throws Error RunRecipe if the criterion is not measured by task
std::vector<double> mixed_scores(const LayerStats& layer, const Criterion& criterion,
                                 const std::vector<double>& weights,
                                 const CriterionContext& context);

/// Each expert's share of the gated norm of each task with a weight above 0; a task without any
/// mass in this layer is left out.
TaskShares task_shares(const LayerStats& layer, const std::vector<double>& weights);

}  // namespace espalier
