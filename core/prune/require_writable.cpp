#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/explain_plan.h"
#include "prune/write_pruned.h"

namespace espalier {
namespace {

constexpr const char* kLowTaskMass = "low_task_mass";

void require_same_count(const ExpertPlan& plan, const MoeConfig& config) {
    std::size_t first = 0;
    for (const std::int64_t layer : config.moe_layers()) {
        const auto found = plan.layers.find(layer);
        const std::size_t kept = found == plan.layers.end()
                                     ? static_cast<std::size_t>(config.router.num_experts)
                                     : found->second.kept.size();
        if (first == 0) first = kept;
        if (kept == first) continue;
        throw Error(
            ErrorCode::RunRecipe,
            fmt::format(
                "The plan keeps {} experts in one layer and {} in layer {}: config.json and "
                "GGUF know one number for all.",
                first, kept, layer),
            "Keep the same number of experts in every layer.");
    }
}

void require_task_mass(const ExpertPlan& plan) {
    const auto mass =
        plan.reasons.is_object() ? plan.reasons.find("task_mass") : plan.reasons.end();
    if (mass == plan.reasons.end() || !mass->is_object()) return;
    const bool accepted =
        std::find(plan.accept.begin(), plan.accept.end(), kLowTaskMass) != plan.accept.end();
    for (const auto& [task, share] : mass->items()) {
        if (accepted || !share.is_number() || share.get<double>() >= kLowestTaskMass) continue;
        throw Error(
            ErrorCode::RunRecipe,
            fmt::format("The kept experts carry {:.0f} % of the output{}, less than {:.0f} %.",
                        100 * share.get<double>(),
                        task.empty() ? "" : fmt::format(" for \"{}\"", task),
                        100 * kLowestTaskMass),
            "Keep more experts, or take the loss on: `--accept low_task_mass`, in a recipe "
            "\"accept\": [\"low_task_mass\"].");
    }
}

}  // namespace

void require_writable(const ExpertPlan& plan, const MoeConfig& config) {
    const ExpertMask fits = plan.mask(config);  // throws if the plan does not
    static_cast<void>(fits);
    require_same_count(plan, config);
    require_task_mass(plan);
}

}  // namespace espalier
