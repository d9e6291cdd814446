#include "prune/expert_plan.h"

#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

Error does_not_fit(const std::string& what) {
    return Error(ErrorCode::RunRecipe,
                 fmt::format("The expert plan does not fit the model: {}", what),
                 "Choose the model that the plan was made for, or make a new plan.");
}

void check_ids(const std::vector<std::int32_t>& ids, std::int64_t layer, std::int64_t num_experts) {
    if (ids.empty() || ids.back() < num_experts) return;
    throw does_not_fit(fmt::format("layer {} has {} experts, the plan names expert {}.", layer,
                                   num_experts, ids.back()));
}

std::vector<bool> removed_row(const LayerPlan& plan, std::int64_t layer,
                              const RouterConfig& router) {
    for (const auto* ids : {&plan.kept, &plan.locked, &plan.forced_out}) {
        check_ids(*ids, layer, router.num_experts);
    }
    if (static_cast<std::int64_t>(plan.kept.size()) < router.top_k) {
        throw does_not_fit(fmt::format("layer {} would keep {} experts, each token needs {}.",
                                       layer, plan.kept.size(), router.top_k));
    }
    std::vector<bool> removed(static_cast<std::size_t>(router.num_experts), true);
    for (const std::int32_t expert : plan.kept) removed[static_cast<std::size_t>(expert)] = false;
    return removed;
}

}  // namespace

ExpertMask ExpertPlan::mask(const MoeConfig& config) const {
    ExpertMask mask;
    mask.removed.resize(config.layers.size());
    for (const std::int64_t layer : config.moe_layers()) {
        mask.removed[static_cast<std::size_t>(layer)].assign(
            static_cast<std::size_t>(config.router.num_experts), false);
    }
    for (const auto& [layer, plan] : layers) {
        if (layer < 0 || layer >= config.num_layers() ||
            config.layers[static_cast<std::size_t>(layer)].feed_forward != FeedForwardKind::Moe) {
            throw does_not_fit(fmt::format("layer {} has no experts.", layer));
        }
        mask.removed[static_cast<std::size_t>(layer)] = removed_row(plan, layer, config.router);
    }
    return mask;
}

}  // namespace espalier
