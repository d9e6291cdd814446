#include <algorithm>
#include <limits>
#include <vector>

#include "prune/expert_vectors.h"
#include "prune/group_functions.h"

namespace espalier {
namespace {

/// Clusters that come together two by two.
class Clusters {
public:
    Clusters(const std::vector<std::int32_t>& experts, const ExpertVectors& outputs,
             const std::vector<std::int32_t>& pinned)
        : distances_(experts.size(), std::vector<double>(experts.size())) {
        for (std::size_t i = 0; i < experts.size(); ++i) {
            clusters_.push_back({experts[i]});
            has_pinned_.push_back(std::binary_search(pinned.begin(), pinned.end(), experts[i]));
            for (std::size_t j = 0; j < experts.size(); ++j) {
                distances_[i][j] = outputs.distance(experts[i], experts[j]);
            }
        }
    }

    std::size_t size() const { return clusters_.size(); }
    ExpertGroups take() { return std::move(clusters_); }

    /// The two that are nearest to each other on the mean of their members become one, in the
    /// earlier one's place. Two with a pinned expert each never do.
    void join_nearest() {
        std::size_t a = 0;
        std::size_t b = 0;
        double nearest = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < size(); ++i) {
            for (std::size_t j = i + 1; j < size(); ++j) {
                if (has_pinned_[i] && has_pinned_[j]) continue;
                if (a != b && distances_[i][j] >= nearest) continue;
                nearest = distances_[i][j];
                a = i;
                b = j;
            }
        }
        join(a, b);
    }

private:
    /// Lance and Williams' rule for the average.
    void join(std::size_t a, std::size_t b) {
        const auto of_a = static_cast<double>(clusters_[a].size());
        const auto of_b = static_cast<double>(clusters_[b].size());
        for (std::size_t k = 0; k < size(); ++k) {
            const double mean = (of_a * distances_[a][k] + of_b * distances_[b][k]) / (of_a + of_b);
            distances_[a][k] = distances_[k][a] = mean;
        }
        clusters_[a].insert(clusters_[a].end(), clusters_[b].begin(), clusters_[b].end());
        has_pinned_[a] = has_pinned_[a] || has_pinned_[b];
        const auto at = static_cast<std::ptrdiff_t>(b);
        clusters_.erase(clusters_.begin() + at);
        has_pinned_.erase(has_pinned_.begin() + at);
        distances_.erase(distances_.begin() + at);
        for (auto& row : distances_) row.erase(row.begin() + at);
    }

    ExpertGroups clusters_;
    std::vector<bool> has_pinned_;
    std::vector<std::vector<double>> distances_;
};

}  // namespace

ExpertGroups group_hc_smoe(const GroupingTask& task) {
    const ExpertVectors outputs = mean_outputs(task.stats);
    // Best first: each cluster's first expert is its best one.
    std::vector<std::int32_t> live;
    std::vector<std::int32_t> unused;
    for (const auto* list : {&task.survivors, &task.leaving}) {
        for (const std::int32_t expert : *list) {
            const bool is_pinned =
                std::binary_search(task.pinned.begin(), task.pinned.end(), expert);
            const bool is_live = task.stats.count[static_cast<std::size_t>(expert)] > 0;
            (is_live || is_pinned ? live : unused).push_back(expert);
        }
    }
    const std::size_t wanted = task.survivors.size();
    Clusters clusters(live, outputs, task.pinned);
    while (clusters.size() > wanted) clusters.join_nearest();
    ExpertGroups groups = clusters.take();
    for (std::size_t i = 0; groups.size() < wanted; ++i) groups.push_back({unused[i]});
    for (auto& group : groups) {
        const auto pinned = std::find_if(group.begin(), group.end(), [&](std::int32_t expert) {
            return std::binary_search(task.pinned.begin(), task.pinned.end(), expert);
        });
        if (pinned != group.end()) std::rotate(group.begin(), pinned, pinned + 1);
        std::sort(group.begin() + 1, group.end());
    }
    return groups;
}

}  // namespace espalier
