#include "prune/expert_plan.h"

#include <algorithm>
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

void check_layer(const LayerPlan& plan, std::int64_t layer, const RouterConfig& router) {
    for (const auto* ids : {&plan.kept, &plan.locked, &plan.forced_out}) {
        check_ids(*ids, layer, router.num_experts);
    }
    for (std::vector<std::int32_t> group : plan.groups) {
        std::sort(group.begin(), group.end());
        check_ids(group, layer, router.num_experts);
    }
    if (static_cast<std::int64_t>(plan.kept.size()) < router.top_k) {
        throw does_not_fit(fmt::format("layer {} would keep {} experts, each token needs {}.",
                                       layer, plan.kept.size(), router.top_k));
    }
}

}  // namespace

bool ExpertPlan::merges() const noexcept {
    return std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
        const auto& groups = layer.second.groups;
        return std::any_of(groups.begin(), groups.end(),
                           [](const auto& group) { return group.size() > 1; });
    });
}

bool ExpertPlan::scales_outputs() const noexcept {
    return std::any_of(layers.begin(), layers.end(),
                       [](const auto& layer) { return layer.second.output_scale != 1.0; });
}

void ExpertPlan::require_fits(const MoeConfig& config) const {
    for (const auto& [layer, plan] : layers) {
        if (layer < 0 || layer >= config.num_layers() ||
            config.layers[static_cast<std::size_t>(layer)].feed_forward != FeedForwardKind::Moe) {
            throw does_not_fit(fmt::format("layer {} has no experts.", layer));
        }
        check_layer(plan, layer, config.router);
    }
}

ExpertMask ExpertPlan::mask(const MoeConfig& config) const {
    require_fits(config);
    if (merges()) {
        throw Error(ErrorCode::RunRecipe,
                    "The plan merges experts: a mask can only leave experts out.",
                    "Write the merged model with `prune --expert-plan` and its `--stats`, then "
                    "measure that.");
    }
    ExpertMask mask;
    mask.removed.resize(config.layers.size());
    for (const std::int64_t layer : config.moe_layers()) {
        mask.removed[static_cast<std::size_t>(layer)].assign(
            static_cast<std::size_t>(config.router.num_experts), layers.contains(layer));
    }
    for (const auto& [layer, plan] : layers) {
        auto& removed = mask.removed[static_cast<std::size_t>(layer)];
        for (const std::int32_t expert : plan.kept) {
            removed[static_cast<std::size_t>(expert)] = false;
        }
    }
    if (!scales_outputs()) return mask;
    mask.output_scale.assign(config.layers.size(), 1.0F);
    for (const auto& [layer, plan] : layers) {
        mask.output_scale[static_cast<std::size_t>(layer)] = static_cast<float>(plan.output_scale);
    }
    return mask;
}

}  // namespace espalier
