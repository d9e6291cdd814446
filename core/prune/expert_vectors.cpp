#include "prune/expert_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "routing/score_functions.h"

namespace espalier {

ExpertVectors::ExpertVectors(std::vector<double> values, std::size_t num_experts)
    : values_(std::move(values)), columns_(values_.size() / num_experts) {}

std::span<const double> ExpertVectors::of(std::int32_t expert) const {
    return std::span(values_).subspan(static_cast<std::size_t>(expert) * columns_, columns_);
}

double ExpertVectors::distance(std::int32_t a, std::int32_t b) const {
    const auto left = of(a);
    const auto right = of(b);
    double sum = 0;
    for (std::size_t c = 0; c < columns_; ++c) {
        sum += (left[c] - right[c]) * (left[c] - right[c]);
    }
    return std::sqrt(sum);
}

double ExpertVectors::cosine(std::int32_t a, std::int32_t b) const {
    const auto dot = [this](std::int32_t i, std::int32_t j) {
        return std::inner_product(of(i).begin(), of(i).end(), of(j).begin(), 0.0);
    };
    const double norms = std::sqrt(dot(a, a)) * std::sqrt(dot(b, b));
    return norms > 0 ? dot(a, b) / norms : 0.0;
}

ExpertVectors mean_outputs(const LayerStats& stats) {
    const std::size_t experts = stats.count.size();
    require_gathered(stats.output_sum, std::max(stats.output_sum.size(), experts),
                     OptionalStat::OutputSum);
    std::vector<double> means = stats.output_sum;
    const std::size_t columns = means.size() / experts;
    for (std::size_t i = 0; i < means.size(); ++i) {
        means[i] /= static_cast<double>(std::max<std::int64_t>(1, stats.count[i / columns]));
    }
    return {std::move(means), experts};
}

ExpertGroups join_most_alike(std::span<const std::int32_t> hosts,
                             std::span<const std::int32_t> leaving,
                             const std::function<double(std::int32_t, std::int32_t)>& likeness) {
    ExpertGroups groups;
    for (const std::int32_t host : hosts) groups.push_back({host});
    if (groups.empty()) return groups;
    for (const std::int32_t expert : leaving) {
        std::size_t best = 0;
        for (std::size_t h = 1; h < hosts.size(); ++h) {
            if (likeness(hosts[h], expert) > likeness(hosts[best], expert)) best = h;
        }
        groups[best].push_back(expert);
    }
    for (auto& group : groups) std::sort(group.begin() + 1, group.end());
    return groups;
}

}  // namespace espalier
