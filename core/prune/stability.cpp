#include "prune/stability.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "prune/expert_sets.h"
#include "prune/rank_experts.h"
#include "routing/score_functions.h"

namespace espalier {

std::vector<double> stability_curve(const LayerStats& layer, std::int64_t kept) {
    const std::size_t experts = layer.count.size();
    if (layer.doubling_count.size() != kDoublings * experts ||
        layer.doubling_gated_norm_sum.size() != kDoublings * experts) {
        return {};
    }
    std::vector<std::int64_t> count(experts, 0);
    std::vector<double> norms(experts, 0.0);
    std::vector<double> curve;
    std::optional<ExpertIds> before;
    for (std::size_t doubling = 0; doubling < kDoublings; ++doubling) {
        for (std::size_t e = 0; e < experts; ++e) {
            count[e] += layer.doubling_count[doubling * experts + e];
            norms[e] += layer.doubling_gated_norm_sum[doubling * experts + e];
        }
        if (std::accumulate(count.begin(), count.end(), std::int64_t{0}) == 0) continue;
        ExpertIds best = rank_experts(mean_per_selection(norms, count), count);
        best.resize(static_cast<std::size_t>(kept));
        std::sort(best.begin(), best.end());
        if (before) curve.push_back(jaccard(*before, best));
        before = std::move(best);
    }
    return curve;
}

}  // namespace espalier
