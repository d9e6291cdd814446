#include "pipeline/report_layers.h"

#include <numeric>
#include <utility>
#include <vector>

namespace espalier {
namespace {

std::vector<double> shares(const std::vector<std::int64_t>& counts) {
    const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    std::vector<double> result(counts.begin(), counts.end());
    if (total == 0) return result;
    for (double& share : result) share /= static_cast<double>(total);
    return result;
}

}  // namespace

void report_layers(const ExpertStats& stats, const Criterion& criterion, const ExpertPlan* plan,
                   std::uint64_t seed, RunObserver& observer) {
    for (const auto& [index, layer] : stats.layers) {
        LayerMeasured event{index, shares(layer.count), criterion.score(layer, {index, seed}), {}};
        if (plan != nullptr) {
            const auto found = plan->layers.find(index);
            if (found != plan->layers.end()) event.kept = found->second.kept;
        }
        observer.on_event(event);
    }
}

}  // namespace espalier
