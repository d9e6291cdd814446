#include "prune/rank_experts.h"

#include <algorithm>
#include <numeric>

namespace espalier {

std::vector<std::int32_t> rank_experts(std::span<const double> scores,
                                       std::span<const std::int64_t> count) {
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        const auto i = static_cast<std::size_t>(a);
        const auto j = static_cast<std::size_t>(b);
        if (scores[i] != scores[j]) return scores[i] > scores[j];
        return count[i] > count[j];
    });
    return order;
}

}  // namespace espalier
