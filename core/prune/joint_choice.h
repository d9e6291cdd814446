#pragma once

#include <span>
#include <vector>

#include "prune/layer_selection.h"

namespace espalier {

/// Choices in which the experts of a layer are judged together. Both end with exchanges of pairs
/// while that helps, at most twice the number of experts; what is pinned stays.

/// Starts from a full selection and lowers the sum of F_ij over all pairs of experts that go: the
/// energy of what their outputs add up to.
/// @param gram F, [experts, experts], symmetric
void lower_joint_energy(LayerSelection& selection, std::span<const double> gram);

/// sum of F_ij over all pairs of `removed`.
double joint_energy(std::span<const double> gram, std::span<const std::int32_t> removed);

/// Mass of each task on each expert, as shares of the task: [tasks][experts].
using TaskShares = std::vector<std::vector<double>>;

/// Fills what is left of the selection so that the task that keeps the least mass keeps as much as
/// possible; of equals, the one that keeps most in all. By weights of the tasks that follow what
/// each keeps, then exchanges.
void raise_lowest_task(LayerSelection& selection, const TaskShares& shares);

/// What the task that keeps the least mass keeps.
double lowest_task_share(const TaskShares& shares, std::span<const std::int32_t> kept);

}  // namespace espalier
