#include <algorithm>
#include <cmath>

#include "prune/select_experts.h"

namespace espalier {
namespace {

constexpr double kPercentile = 0.995;
constexpr double kShareOfMaximum = 0.1;

/// Interpolated between the two nearest ranks, as NumPy does.
double percentile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const double rank = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (rank - std::floor(rank)) * (values[above] - values[below]);
}

}  // namespace

std::vector<std::pair<std::int64_t, std::int32_t>> super_experts(const ExpertStats& stats,
                                                                 bool of_all_layers) {
    std::vector<double> all;
    for (const auto& [index, layer] : stats.layers) {
        all.insert(all.end(), layer.max_abs.begin(), layer.max_abs.end());
    }
    std::vector<std::pair<std::int64_t, std::int32_t>> found;
    if (all.empty()) return found;
    const double largest = *std::max_element(all.begin(), all.end());
    const double limit = std::max(percentile(all, kPercentile), kShareOfMaximum * largest);
    std::size_t layers_left = of_all_layers ? stats.layers.size() : stats.layers.size() * 3 / 4;
    for (const auto& [index, layer] : stats.layers) {
        if (layers_left-- == 0) break;
        for (std::size_t e = 0; e < layer.max_abs.size(); ++e) {
            if (layer.max_abs[e] > limit) found.emplace_back(index, static_cast<std::int32_t>(e));
        }
    }
    return found;
}

std::vector<std::pair<std::int64_t, std::int32_t>> protected_super_experts(
    const ExpertStats& stats, const SelectOptions& options) {
    if (!options.protects_super_experts) return {};
    return super_experts(stats, options.protects_outliers);
}

}  // namespace espalier
