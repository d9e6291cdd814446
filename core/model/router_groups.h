#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "model/moe_config.h"

namespace espalier {

/// How good a group of experts is; experts that are gone have -infinity. A group with one expert
/// left is worth that expert, a group without any nothing.
inline float group_score(GroupScore rule, std::span<const float> scores) {
    constexpr float kNothing = -std::numeric_limits<float>::infinity();
    float best = kNothing;
    float second = kNothing;
    for (const float score : scores) {
        if (score > best) {
            second = best;
            best = score;
        } else {
            second = std::max(second, score);
        }
    }
    return rule == GroupScore::SumOfBestTwo && second > kNothing ? best + second : best;
}

/// What becomes of a score outside the best groups: it comes after all others, and before those of
/// experts that are gone. Only where the best groups have too few left is such an expert chosen.
inline constexpr float kOutsideBestGroups = std::numeric_limits<float>::lowest();

/// Experts outside the best groups lose. Of equal groups the first wins. Does nothing for routers
/// without groups.
/// @param scores [experts] of one token, what its top-k is taken of
inline void keep_best_groups(const RouterConfig& config, std::span<float> scores) {
    if (config.num_groups <= 1 || config.top_groups >= config.num_groups) return;
    const std::size_t size = scores.size() / static_cast<std::size_t>(config.num_groups);
    const auto group = [&](std::size_t index) { return scores.subspan(index * size, size); };
    std::vector<float> of_group(static_cast<std::size_t>(config.num_groups));
    for (std::size_t g = 0; g < of_group.size(); ++g) {
        of_group[g] = group_score(config.group_score, group(g));
    }
    std::vector<float> sorted = of_group;
    const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(config.top_groups) - 1;
    std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
    // All groups above the last one that counts, and of its equals as many as there is room for.
    std::int64_t room =
        config.top_groups -
        std::count_if(of_group.begin(), of_group.end(), [&](float score) { return score > *last; });
    for (std::size_t g = 0; g < of_group.size(); ++g) {
        if (of_group[g] > *last || (of_group[g] == *last && room-- > 0)) continue;
        for (float& score : group(g)) score = std::min(score, kOutsideBestGroups);
    }
}

}  // namespace espalier
