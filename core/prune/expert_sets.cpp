#include "prune/expert_sets.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace espalier {

ExpertIds removed_experts(const ExpertIds& kept, std::size_t num_experts) {
    ExpertIds all(num_experts);
    std::iota(all.begin(), all.end(), 0);
    ExpertIds removed;
    std::set_difference(all.begin(), all.end(), kept.begin(), kept.end(),
                        std::back_inserter(removed));
    return removed;
}

double jaccard(const ExpertIds& a, const ExpertIds& b) {
    ExpertIds common;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
    const std::size_t all = a.size() + b.size() - common.size();
    return all == 0 ? 1.0 : static_cast<double>(common.size()) / static_cast<double>(all);
}

ExpertIds never_activated(std::span<const std::int64_t> count) {
    ExpertIds ids;
    for (std::size_t e = 0; e < count.size(); ++e) {
        if (count[e] == 0) ids.push_back(static_cast<std::int32_t>(e));
    }
    return ids;
}

}  // namespace espalier
