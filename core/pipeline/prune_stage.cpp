#include "pipeline/prune_stage.h"

#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "model/model_source.h"
#include "pipeline/model_metrics.h"
#include "pipeline/report_layers.h"
#include "pipeline/stats_for_model.h"
#include "prune/expert_plan.h"
#include "prune/write_pruned.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

ExpertPlan make_plan(const StageContext& context, const PruneConfig& config,
                     const ModelSource& model) {
    if (!config.plan_path.empty()) {
        ExpertPlan plan = load_expert_plan(config.plan_path);
        plan.accept.insert(plan.accept.end(), config.accept.begin(), config.accept.end());
        return plan;
    }
    const ExpertStats stats =
        load_stats_for_model(context.state.stats, model, false, context.state.stats_model);
    SelectOptions options;
    options.criterion = config.criterion;
    options.keep = keep_target(config);
    options.seed = context.recipe.seed;
    options.protects_super_experts = config.protects_super_experts;
    options.champion_share = config.champion_share;
    options.accept = config.accept;
    ExpertPlan plan = select_experts(stats, model.config(), options);
    report_layers(stats, find_criterion(config.criterion), &plan, context.recipe.seed,
                  context.observer);
    return plan;
}

/// What the model itself tells of this stage: all that decides its bytes, but no path of this
/// machine.
Json lineage_of(const StageContext& context) {
    Json config = context.entry.config;
    config.erase("plan_path");
    return {{"stage", "prune"}, {"config", std::move(config)}};
}

}  // namespace

void validate(const PruneConfig& config) {
    find_criterion(config.criterion);
    if (!(config.keep_ratio > 0 && config.keep_ratio <= 1)) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage prune: \"keep_ratio\" is {}.", config.keep_ratio),
                    "Enter a share above 0 and up to 1.");
    }
    if (config.keep_experts < 0) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage prune: \"keep_experts\" is {}.", config.keep_experts),
                    "Enter how many experts stay in each layer, or 0 to go by keep_ratio.");
    }
}

KeepTarget keep_target(const PruneConfig& config) {
    KeepTarget keep;
    if (config.keep_experts > 0) {
        keep.experts = config.keep_experts;
    } else {
        keep.ratio = config.keep_ratio;
    }
    return keep;
}

StageOutput run_prune(const StageContext& context, const PruneConfig& config) {
    const auto model = ModelSource::open(context.state.model);
    StageOutput output;
    const ExpertPlan plan = make_plan(context, config, *model);
    throw_if_stopped(context.stop);
    output.plan = context.folder / "plan.json";
    save_expert_plan(plan, output.plan);

    output.model = context.folder / (model->gguf_file() != nullptr ? "model.gguf" : "model");
    fs::remove_all(output.model);  // whole, but from a call that was killed before it could say so
    const auto progress = [&](std::uint64_t done, std::uint64_t total) {
        const double share = static_cast<double>(done) / static_cast<double>(total);
        context.observer.on_event(
            StageProgress{context.index, share, fmt::format("{:.0f} % written", 100 * share)});
    };
    log_warnings(plan);
    const PruneReport report =
        write_pruned({*model, plan, output.model, lineage_of(context), progress, context.stop});
    log_warnings(report);
    output.metrics = metrics_of(report, plan);
    return output;
}

}  // namespace espalier
