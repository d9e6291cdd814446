#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "prune/expert_vectors.h"
#include "prune/group_functions.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

/// The router's probabilities: softmax over the experts for each sampled token. [experts, samples]
std::vector<double> gate_profiles(const LayerStats& stats) {
    const std::size_t experts = stats.count.size();
    const std::size_t samples = stats.router_profile.size() / experts;
    std::vector<double> probs(stats.router_profile.size());
    for (std::size_t t = 0; t < samples; ++t) {
        double largest = stats.router_profile[t];
        for (std::size_t e = 1; e < experts; ++e) {
            largest = std::max(largest, stats.router_profile[e * samples + t]);
        }
        double sum = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            probs[e * samples + t] = std::exp(stats.router_profile[e * samples + t] - largest);
            sum += probs[e * samples + t];
        }
        for (std::size_t e = 0; e < experts; ++e) probs[e * samples + t] /= sum;
    }
    return probs;
}

/// In [0, 1]: the mean of how alike two experts' gated outputs are, (cos + 1) / 2, and how alike
/// their gate profiles are, 1 - distance / largest distance of any two experts of the layer.
class Likeness {
public:
    explicit Likeness(const LayerStats& stats)
        : outputs_(stats.gated_output_sum, stats.count.size()),
          profiles_(gate_profiles(stats), stats.count.size()) {
        const auto experts = static_cast<std::int32_t>(stats.count.size());
        for (std::int32_t a = 0; a < experts; ++a) {
            for (std::int32_t b = a + 1; b < experts; ++b) {
                farthest_ = std::max(farthest_, profiles_.distance(a, b));
            }
        }
    }

    double of(std::int32_t a, std::int32_t b) const {
        const double near = farthest_ > 0 ? 1 - profiles_.distance(a, b) / farthest_ : 1.0;
        return ((outputs_.cosine(a, b) + 1) / 2 + near) / 2;
    }

private:
    ExpertVectors outputs_;
    ExpertVectors profiles_;
    double farthest_ = 0;
};

}  // namespace

ExpertGroups group_ream(const GroupingTask& task) {
    const std::size_t experts = task.stats.count.size();
    for (const auto* values : {&task.stats.router_profile, &task.stats.gated_output_sum}) {
        require_gathered(*values, std::max(values->size(), experts), OptionalStat::Profiles);
    }
    const Likeness likeness(task.stats);
    std::vector<std::int32_t> free = task.leaving;
    ExpertGroups groups;
    for (const std::int32_t centroid : task.survivors) {
        std::vector<std::int32_t> members = free;
        std::stable_sort(members.begin(), members.end(), [&](std::int32_t a, std::int32_t b) {
            return likeness.of(centroid, a) > likeness.of(centroid, b);
        });
        members.resize(std::min(members.size(), kReamGroupSize - 1));
        std::sort(members.begin(), members.end());
        std::erase_if(free, [&](std::int32_t expert) {
            return std::binary_search(members.begin(), members.end(), expert);
        });
        members.insert(members.begin(), centroid);
        groups.push_back(std::move(members));
    }
    return groups;
}

}  // namespace espalier
