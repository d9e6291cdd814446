#include "pipeline/sequential_selection.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "calib/calibrate.h"
#include "pipeline/measured_selection.h"
#include "pipeline/remeasure.h"
#include "prune/expert_sets.h"
#include "prune/merged_layer.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

/// The config of a model in which this layer alone has a router.
MoeConfig one_layer(const MoeConfig& config, std::int64_t layer) {
    MoeConfig one = config;
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        if (i == layer) continue;
        one.layers[static_cast<std::size_t>(i)].feed_forward = FeedForwardKind::Dense;
    }
    return one;
}

/// The plan of one layer by its own statistics.
ExpertPlan select_layer(const ExpertStats& stats, const MoeConfig& config, std::int64_t layer,
                        SelectOptions options) {
    std::erase_if(options.wishes, [&](const auto& wish) { return wish.first != layer; });
    return select_experts(stats, one_layer(config, layer), options);
}

/// As the removal that it is for the router.
ExpertMask mask_of(ExpertPlan plan, const MoeConfig& config) {
    plan.merge.clear();
    for (auto& [layer, row] : plan.layers) row.groups.clear();
    return plan.mask(config);
}

/// In place of what one layer's statistics cannot tell.
SelectOptions with_super_experts(const SequentialInput& input) {
    SelectOptions options = input.options;
    if (options.criterion == kRandomCriterion) return options;
    for (const auto& [layer, expert] : protected_super_experts(input.stats, options)) {
        auto& locked = options.wishes[layer].locked;
        const auto place = std::lower_bound(locked.begin(), locked.end(), expert);
        if (place == locked.end() || *place != expert) locked.insert(place, expert);
    }
    options.protects_super_experts = false;
    options.protects_outliers = false;
    return options;
}

/// All that decides the plan.
Json description_of(const SelectOptions& options) {
    Json wishes = Json::object();
    for (const auto& [layer, wish] : options.wishes) {
        wishes[std::to_string(layer)] = {{"locked", wish.locked}, {"forced_out", wish.forced_out}};
    }
    Json json = {{"criterion", options.criterion},
                 {"merge", options.merge},
                 {"seed", options.seed},
                 {"champion_share", options.champion_share},
                 {"task_weights", options.task_weights},
                 {"task_mix", options.task_mix == TaskMix::MaxMin ? "max-min" : "sum"},
                 {"reap_diagonal", options.has_reap_diagonal},
                 {"compensate", options.compensates_lost_mass},
                 {"wishes", std::move(wishes)}};
    if (options.keep.experts)
        json["keep"] = *options.keep.experts;
    else
        json["keep_ratio"] = *options.keep.ratio;
    return json;
}

/// Of the survivors of a layer, in the type of their file, at most.
std::uint64_t merged_bytes(const SequentialInput& input, std::int64_t kept) {
    const MoeConfig& config = input.model.config();
    const std::int64_t values = 3 * config.moe_intermediate_size * config.hidden_size * kept;
    return input.options.merge.empty() ? 0 : 4 * static_cast<std::uint64_t>(values);
}

/// How far the choice moved from the one by the whole model's statistics.
void log_difference(const ExpertPlan& plan, const ExpertPlan& before) {
    double overlap = 0;
    for (const auto& [layer, row] : plan.layers) {
        overlap += jaccard(row.kept, before.layers.at(layer).kept);
    }
    log("prune").info(
        "Layer by layer: the choice overlaps by {:.2f} with that by the whole "
        "model's statistics.",
        overlap / static_cast<double>(plan.layers.size()));
}

}  // namespace

void require_sequential(const SelectOptions& options) {
    const auto refuse = [](const std::string& what, const std::string& hint) {
        throw Error(ErrorCode::RunRecipe, "Choosing layer by layer: " + what, hint);
    };
    if (options.criterion == kMeasuredSelection) {
        refuse("a search measures all layers together already.", "Choose a criterion.");
    }
    if (options.scope == SelectScope::Across) {
        refuse("layers cannot share a number of experts, as later ones are not measured yet.",
               "Keep as many in each layer.");
    }
    if (find_criterion(options.criterion).replaces) {
        refuse(fmt::format("{} puts constants in place of experts.", options.criterion),
               "Choose a criterion that removes or merges them.");
    }
}

SequentialSelection select_sequentially(const SequentialInput& input, std::stop_token stop) {
    require_sequential(input.options);
    const MoeConfig& config = input.model.config();
    const SelectOptions options = with_super_experts(input);
    // Refuses what cannot be met before hours of work.
    const ExpertPlan before = select_experts(input.stats, config, options);
    if (before.merges()) require_mergeable({input.model, before, input.stats});

    CalibrateRequest request = calibration_as_before({.stats = input.stats,
                                                      .data = input.data,
                                                      .probe_file = input.probe_file,
                                                      .num_threads = input.num_threads,
                                                      .memory_budget = input.memory_budget});
    request.model = input.model.path();
    request.out = input.out;
    request.change = description_of(options);
    request.change_bytes = merged_bytes(input, options.keep.kept_of(config.router.num_experts));
    CalibrateSinks sinks;
    sinks.progress = input.progress;
    sinks.change = [&](std::int64_t layer, const ExpertStats& stats) {
        const ExpertPlan plan = select_layer(stats, config, layer, options);
        LayerChange change{.source = nullptr, .mask = mask_of(plan, config)};
        if (plan.merges()) {
            change.source = merged_layer({.model = input.model,
                                          .plan = plan,
                                          .stats = stats,
                                          .num_threads = input.num_threads},
                                         layer, stop);
        }
        return change;
    };
    calibrate(request, sinks, stop);
    ExpertStats stats = load_expert_stats(input.out, true);
    // Each layer's choice depends on its own statistics alone, so these are the same again.
    ExpertPlan plan = select_experts(stats, config, options);
    log_difference(plan, before);
    return {std::move(plan), std::move(stats)};
}

}  // namespace espalier
