#include "prune/expert_constants.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/expert_sets.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

std::vector<float> mean_output(const LayerStats& stats, std::size_t expert, std::size_t hidden) {
    std::vector<float> mean(hidden, 0.0F);
    const std::int64_t count = stats.count[expert];
    if (count == 0) return mean;
    for (std::size_t c = 0; c < hidden; ++c) {
        mean[c] =
            static_cast<float>(stats.output_sum[expert * hidden + c] / static_cast<double>(count));
    }
    return mean;
}

}  // namespace

bool replaces_experts(const ExpertPlan& plan) {
    const auto& known = criteria();
    return std::any_of(known.begin(), known.end(), [&](const Criterion& criterion) {
        return criterion.replaces && criterion.name == plan.criterion;
    });
}

ExpertConstants mean_outputs(const ExpertStats& stats, const ExpertPlan& plan,
                             const MoeConfig& config) {
    const auto hidden = static_cast<std::size_t>(config.hidden_size);
    ExpertConstants constants;
    for (const auto& [layer, kept] : plan.layers) {
        const auto experts = static_cast<std::size_t>(config.num_experts_of(layer));
        const auto found = stats.layers.find(layer);
        if (found == stats.layers.end() || found->second.count.size() != experts ||
            found->second.output_sum.size() != experts * hidden) {
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("The statistics have no mean outputs of the {} experts of "
                                    "layer {}.",
                                    experts, layer),
                        "Calibrate again with `--stats` that include output_sum.");
        }
        for (const std::int32_t expert : removed_experts(kept.kept, experts)) {
            constants[layer][expert] =
                mean_output(found->second, static_cast<std::size_t>(expert), hidden);
        }
    }
    return constants;
}

}  // namespace espalier
