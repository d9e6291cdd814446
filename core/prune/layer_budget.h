#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "model/moe_config.h"
#include "routing/criterion.h"

namespace espalier {

/// One layer among those that share a budget of experts.
struct BudgetLayer {
    const LayerStats* stats = nullptr;
    const std::vector<double>* scores = nullptr;
    /// All experts that may go, in the order in which they would; those that must go stand first.
    std::vector<std::int32_t> leaving;
    std::size_t num_forced_out = 0;
};

/// What the scores of the layers are sizes of.
struct BudgetCost {
    ScoreKind kind = ScoreKind::Norm;
    bool is_pairwise = false;
};

struct LayerBudget {
    std::map<std::int64_t, std::int64_t> kept;  ///< by layer
    std::map<std::int64_t, double> cost;        ///< of what goes, over the stream's mean energy
};

/// Shares `kept * layers` experts out so that what goes costs least: step by step the layer goes on
/// whose next expert (one of each group of the router) adds least. Cost is (sum of scores)^2 for
/// scores that are norms, their sum for energies, the joint energy for a pairwise criterion; these
/// over E||h||^2 of the layer, or else late layers with their long streams would never be cut.
/// Greedy is optimal as long as a layer's steps grow dearer, which they do in the order of the
/// scores. No layer goes below `lowest`, unless so many are forced out.
/// @throws Error RunRecipe if E||h||^2 was not gathered, or the budget cannot be met: it names the
/// nearest that can
LayerBudget share_layer_budget(const std::map<std::int64_t, BudgetLayer>& layers,
                               const BudgetCost& cost, const RouterConfig& router,
                               std::int64_t kept, std::int64_t lowest);

}  // namespace espalier
