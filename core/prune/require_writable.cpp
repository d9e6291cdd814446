#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <vector>

#include "base/error.h"
#include "prune/explain_plan.h"
#include "prune/write_pruned.h"

namespace espalier {
namespace {

constexpr const char* kLowTaskMass = "low_task_mass";

struct Counts {
    std::size_t least = 0;
    std::size_t most = 0;
};

Counts kept_counts(const ExpertPlan& plan, const MoeConfig& config) {
    Counts counts{std::numeric_limits<std::size_t>::max(), 0};
    for (const std::int64_t layer : config.moe_layers()) {
        const auto found = plan.layers.find(layer);
        const std::size_t kept = found == plan.layers.end()
                                     ? static_cast<std::size_t>(config.num_experts_of(layer))
                                     : found->second.kept.size();
        counts.least = std::min(counts.least, kept);
        counts.most = std::max(counts.most, kept);
    }
    return counts;
}

void require_same_count(const ExpertPlan& plan, const MoeConfig& config) {
    const Counts counts = kept_counts(plan, config);
    if (counts.least == counts.most) return;
    throw Error(
        ErrorCode::RunRecipe,
        fmt::format("The plan keeps {} experts in one layer and {} in another: config.json and "
                    "GGUF know one number for all.",
                    counts.least, counts.most),
        fmt::format("Fill the layers up to the largest (select with `--pad-to-uniform`), cut them "
                    "to the smallest (`--keep {}` without `--scope across`), or write a native "
                    "folder with `--native`, which Espalier alone runs.",
                    counts.least));
}

/// Routers that choose among groups of experts take them to be of equal size.
void require_equal_groups(const ExpertPlan& plan, const MoeConfig& config) {
    const RouterConfig& router = config.router;
    if (router.num_groups <= 1) return;
    const auto groups = static_cast<std::size_t>(router.num_groups);
    const std::int64_t size = router.num_experts / router.num_groups;
    for (const auto& [layer, kept] : plan.layers) {
        std::vector<std::size_t> counts(groups, 0);
        for (const std::int32_t expert : kept.kept)
            ++counts[static_cast<std::size_t>(expert / size)];
        const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
        if (*least != *most) {
            throw Error(
                ErrorCode::RunRecipe,
                fmt::format("The plan keeps {} experts of one group and {} of another in layer {}: "
                            "the router knows groups of equal size only.",
                            *most, *least, layer),
                "Keep the same number of experts in each group.");
        }
        const auto reachable = static_cast<std::int64_t>(*least) * router.top_groups;
        if (reachable >= router.top_k) continue;
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("{} experts stay in each group of layer {}: the {} groups that a "
                                "token may use have fewer than the {} it is sent to.",
                                *least, layer, router.top_groups, router.top_k),
                    "Keep more experts.");
    }
}

/// Experts that become constants need a format that knows constants.
void require_removal(const ExpertPlan& plan) {
    if (!replaces_experts(plan)) return;
    throw Error(ErrorCode::RunRecipe,
                fmt::format("The plan replaces experts by their mean output (criterion {}): "
                            "config.json and GGUF know no constant in place of an expert.",
                            plan.criterion),
                "Choose by another criterion to remove experts, or write a native folder with "
                "`--native`, which Espalier alone runs.");
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

bool needs_native(const ExpertPlan& plan, const MoeConfig& config) {
    const Counts counts = kept_counts(plan, config);
    return counts.least != counts.most || replaces_experts(plan);
}

void require_writable(const ExpertPlan& plan, const MoeConfig& config, PruneFormat format) {
    plan.require_fits(config);
    if (config.is_native()) {
        throw Error(ErrorCode::RunRecipe,
                    "The model is native already: what it lost cannot be cut again.",
                    "Prune the model that it was made from, with fewer experts.");
    }
    if (format == PruneFormat::Common) require_same_count(plan, config);
    // A router that keeps all its rows keeps its groups.
    if (!replaces_experts(plan)) require_equal_groups(plan, config);
    require_task_mass(plan);
    if (format == PruneFormat::Common) require_removal(plan);
}

}  // namespace espalier
