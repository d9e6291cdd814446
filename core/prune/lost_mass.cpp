#include "prune/lost_mass.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/error.h"
#include "prune/expert_constants.h"
#include "routing/score_functions.h"

namespace espalier {

std::optional<double> lost_mass(const LayerStats& stats, const std::vector<std::int32_t>& kept) {
    if (stats.router_mass.empty() || stats.tokens == 0) return std::nullopt;
    double rest = 0;
    for (const std::int32_t expert : kept)
        rest += stats.router_mass[static_cast<std::size_t>(expert)];
    const double all = std::accumulate(stats.router_mass.begin(), stats.router_mass.end(), 0.0);
    return all > 0 ? std::max(0.0, 1 - rest / all) : 0.0;
}

void compensate_lost_mass(ExpertPlan& plan, const ExpertStats& stats, const MoeConfig& config) {
    if (!has_probability_gates(config.router) || replaces_experts(plan)) {
        throw Error(
            ErrorCode::RunRecipe,
            "There is no lost probability to make up for: the gates of this model's experts "
            "do not grow when others go.",
            "Leave the compensation away.");
    }
    for (auto& [index, layer] : plan.layers) {
        const LayerStats& measured = stats.layers.at(index);
        require_gathered(measured.router_mass, measured.count.size(), OptionalStat::RouterMass);
        layer.output_scale = 1 - lost_mass(measured, layer.kept).value_or(0);
    }
}

}  // namespace espalier
