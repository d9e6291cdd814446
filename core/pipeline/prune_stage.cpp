#include "pipeline/prune_stage.h"

#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "model/model_source.h"
#include "pipeline/check_cut.h"
#include "pipeline/check_repetition.h"
#include "pipeline/measured_selection.h"
#include "pipeline/model_metrics.h"
#include "pipeline/probe_windows.h"
#include "pipeline/remeasure.h"
#include "pipeline/report_layers.h"
#include "pipeline/sequential_selection.h"
#include "pipeline/stage_routing.h"
#include "pipeline/stats_for_model.h"
#include "prune/expert_plan.h"
#include "prune/merge_methods.h"
#include "prune/write_pruned.h"
#include "routing/criterion.h"
#include "routing/expert_stats.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

/// Of the stage's progress; the rest is writing.
constexpr double kSearchShare = 0.8;
/// What is done before the result is let write, and before its routing is compared with the
/// original's.
constexpr double kWrittenShare = 0.85;
constexpr double kModelShare = 0.9;

bool has_stats(const StageContext& context, const PruneConfig& config) {
    return !config.stats_path.empty() || !context.state.stats.empty();
}

ExpertStats load_stats(const StageContext& context, const PruneConfig& config,
                       const ModelSource& model, bool with_vectors) {
    if (!config.stats_path.empty())
        return load_stats_for_model(config.stats_path, model, with_vectors);
    return load_stats_for_model(context.state.stats, model, with_vectors,
                                context.state.stats_model);
}

/// Told while experts are chosen.
std::function<void(double fraction, const std::string& text)> choosing_progress(
    const StageContext& context) {
    return [&context](double fraction, const std::string& text) {
        context.observer.on_event(StageProgress{context.index, kSearchShare * fraction, text});
    };
}

SearchWindows search_windows(const StageContext& context, const PruneConfig& config,
                             const ModelSource& model) {
    return read_search_windows(model, {.data = context.recipe.data,
                                       .file = config.probe_file,
                                       .max_tokens = config.search_tokens});
}

ExpertPlan search_plan(const StageContext& context, const PruneConfig& config,
                       const ModelSource& model, const ExpertStats& stats,
                       const SelectOptions& options) {
    ThreadPool pool(context.num_threads);
    return select_by_measurement({.model = model,
                                  .stats = stats,
                                  .options = options,
                                  .windows = search_windows(context, config, model),
                                  .seconds = config.search_seconds,
                                  .max_tries = config.search_tries,
                                  .pool = pool,
                                  .progress = choosing_progress(context)},
                                 context.stop);
}

/// But for the seed, which is the recipe's.
SelectOptions select_options(const PruneConfig& config) {
    SelectOptions options;
    options.criterion = config.criterion;
    options.merge = config.merge;
    options.keep = keep_target(config);
    options.protects_super_experts = config.protects_super_experts;
    options.protects_outliers = config.protects_outliers;
    options.compensates_lost_mass = config.compensates_lost_mass;
    options.champion_share = config.champion_share;
    options.accept = config.accept;
    options.scope = parse_scope(config.scope);
    options.lowest = config.lowest;
    options.pads_to_uniform = config.pads_to_uniform;
    options.task_weights = parse_task_weights(config.task_weights);
    options.task_mix = parse_task_mix(config.task_mix);
    return options;
}

SelectOptions select_options(const StageContext& context, const PruneConfig& config) {
    SelectOptions options = select_options(config);
    options.seed = context.recipe.seed;
    return options;
}

fs::path sequential_stats(const StageContext& context) {
    return context.folder / "sequential.safetensors";
}

ExpertPlan choose_sequentially(const StageContext& context, const PruneConfig& config,
                               const ModelSource& model, const ExpertStats& stats) {
    return select_sequentially({.model = model,
                                .stats = stats,
                                .options = select_options(context, config),
                                .data = context.recipe.data,
                                .probe_file = config.probe_file,
                                .out = sequential_stats(context),
                                .num_threads = context.num_threads,
                                .memory_budget = context.memory_budget,
                                .progress = choosing_progress(context)},
                               context.stop)
        .plan;
}

/// The rounds lie in the stage's folder, where a user may take the plan of any.
ProgressiveResult run_rounds(const StageContext& context, const PruneConfig& config,
                             const ModelSource& model) {
    const ExpertStats stats = load_stats(context, config, model, reads_vectors(config.criterion));
    ThreadPool pool(context.num_threads);
    std::optional<RoundSearch> search;
    if (config.criterion == kMeasuredSelection) {
        search = {.windows = search_windows(context, config, model),
                  .seconds = config.search_seconds,
                  .max_tries = config.search_tries};
    }
    return prune_in_rounds(
        {.model = model,
         .stats = stats,
         .options = select_options(context, config),
         .schedule = round_schedule(config),
         .probe = read_probe_windows(model, {.data = context.recipe.data,
                                             .file = config.probe_file,
                                             .max_tokens = config.search_tokens}),
         .folder = context.folder / "rounds",
         .pool = pool,
         .remeasure = remeasure_as_before({.stats = stats,
                                           .data = context.recipe.data,
                                           .probe_file = config.probe_file,
                                           .num_threads = context.num_threads,
                                           .memory_budget = context.memory_budget},
                                          context.stop),
         .search = std::move(search),
         .observer = context.observer,
         .stage_index = context.index,
         .progress_share = kSearchShare},
        context.stop);
}

ExpertPlan make_plan(const StageContext& context, const PruneConfig& config,
                     const ModelSource& model) {
    if (!config.plan_path.empty()) {
        ExpertPlan plan = load_expert_plan(config.plan_path);
        plan.accept.insert(plan.accept.end(), config.accept.begin(), config.accept.end());
        return plan;
    }
    const bool has_vectors =
        config.sequential || !config.merge.empty() || reads_vectors(config.criterion);
    const ExpertStats stats = load_stats(context, config, model, has_vectors);
    const SelectOptions options = select_options(context, config);
    const fs::path made = context.folder / "plan.json";
    ExpertPlan plan;
    if (config.criterion != kMeasuredSelection && !config.sequential) {
        plan = select_experts(stats, model.config(), options);
    } else if (fs::exists(made)) {  // of a call that was killed while it wrote the model
        plan = load_expert_plan(made);
    } else if (config.sequential) {
        plan = choose_sequentially(context, config, model, stats);
    } else {
        plan = search_plan(context, config, model, stats, options);
    }
    report_layers(stats, shown_criterion(plan), &plan, context.recipe.seed, context.observer);
    return plan;
}

/// Mean outputs for a plan that replaces experts; nothing for others.
ExpertConstants constants_for(const StageContext& context, const PruneConfig& config,
                              const ModelSource& model, const ExpertPlan& plan) {
    if (!config.native || !replaces_experts(plan) || !has_stats(context, config)) return {};
    return mean_outputs(load_stats(context, config, model, true), plan, model.config());
}

/// What the model itself tells of this stage: all that decides its bytes, but no path of this
/// machine.
Json lineage_of(const StageContext& context) {
    Json config = context.entry.config;
    config.erase("plan_path");
    config.erase("stats_path");
    config.erase("probe_file");
    config.erase("routing_tokens");
    config.erase("limits_file");
    config.erase("repetition_tokens");
    return {{"stage", "prune"}, {"config", std::move(config)}};
}

/// What would only be refused once calibration is through.
void validate_selection(const PruneConfig& config) {
    const auto refuse = [](const std::string& what, const std::string& hint) {
        throw Error(ErrorCode::RunRecipe, "Stage prune: " + what, hint);
    };
    const bool is_search = config.criterion == kMeasuredSelection;
    if (!config.merge.empty()) {
        static_cast<void>(find_merge_method(config.merge));
        if (is_search) {
            refuse("a search measures what removing experts does, not what merging them does.",
                   "Leave \"merge\" empty, or choose a criterion.");
        }
    }
    if (!is_search && find_criterion(config.criterion).replaces && !config.native) {
        refuse(fmt::format("{} replaces experts by constants, which config.json and GGUF cannot "
                           "say.",
                           config.criterion),
               "Choose another criterion, or set \"native\", for a model that Espalier alone "
               "runs.");
    }
    try {
        parse_task_mix(config.task_mix);
        parse_task_weights(config.task_weights);
        if (config.sequential) require_sequential(select_options(config));
        if (parse_scope(config.scope) == SelectScope::Layers) return;
    } catch (const Error& error) {
        refuse(error.what(), error.hint());
    }
    if (is_search && config.pads_to_uniform) {
        refuse("a search does not fill smaller layers up.",
               "Set \"scope\" to layers, or \"native\" in place of \"pads_to_uniform\".");
    }
    if (!config.pads_to_uniform && !config.native) {
        refuse("config.json and GGUF know one number of experts for all layers.",
               "Set \"pads_to_uniform\" to fill up to the largest layer, \"scope\" to layers, or "
               "\"native\" for a model that Espalier alone runs.");
    }
}

}  // namespace

void validate(const PruneConfig& config) {
    for (const auto& [name, tokens] : {std::pair{"routing_tokens", config.routing_tokens},
                                       std::pair{"repetition_tokens", config.repetition_tokens}}) {
        if (tokens >= 0) continue;
        throw Error(ErrorCode::RunRecipe, fmt::format("Stage prune: \"{}\" is {}.", name, tokens),
                    "Enter a number of tokens, or 0 to leave the check out.");
    }
    load_routing_limits(config.limits_file);
    validate_selection(config);
    if (config.progressive) validate(round_schedule(config), config.criterion, config.merge);
    if (config.progressive && config.sequential) {
        throw Error(ErrorCode::RunRecipe,
                    "Stage prune: rounds choose all layers at once, \"sequential\" one after the "
                    "other.",
                    "Leave one of them away; \"remeasure_every\" has each round measured anew.");
    }
    if (!config.progressive && config.recovery != "none") {
        throw Error(ErrorCode::RunRecipe, "Stage prune: a recovery works between rounds.",
                    "Set \"progressive\", or leave \"recovery\" away.");
    }
    if (!(config.search_seconds >= 0) || config.search_tries < 0 || config.search_tokens < 1) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage prune: a search of {} s, {} tries and {} tokens.",
                                config.search_seconds, config.search_tries, config.search_tokens),
                    "Enter no negative numbers, and at least one token.");
    }
    if (!(config.keep_ratio > 0 && config.keep_ratio <= 1)) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage prune: \"keep_ratio\" is {}.", config.keep_ratio),
                    "Enter a share above 0 and up to 1.");
    }
    if (config.lowest < 0) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("Stage prune: \"lowest\" is {}.", config.lowest),
                    "Enter the fewest experts of a layer, or 0 for the usual number.");
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

RoundSchedule round_schedule(const PruneConfig& config) {
    return {.path = {.rounds = config.rounds, .step = config.step},
            .max_kl = config.max_kl,
            .remeasure = config.remeasure_every,
            .recovery = config.recovery,
            .routing_tokens = config.routing_tokens};
}

StageOutput run_prune(const StageContext& context, const PruneConfig& config) {
    auto model = ModelSource::open(context.state.model);
    StageOutput output;
    ProgressiveResult rounds;
    const bool is_progressive = config.progressive && config.plan_path.empty();
    if (is_progressive) rounds = run_rounds(context, config, *model);
    const ExpertPlan plan = is_progressive ? rounds.plan : make_plan(context, config, *model);
    if (!rounds.model.empty()) model = ModelSource::open(rounds.model);
    throw_if_stopped(context.stop);
    output.plan = context.folder / "plan.json";
    save_expert_plan(plan, output.plan);

    output.model = context.folder / (model->gguf_file() != nullptr ? "model.gguf" : "model");
    fs::remove_all(output.model);  // whole, but from a call that was killed before it could say so
    const auto progress = [&](std::uint64_t done, std::uint64_t total) {
        const bool has_measured =
            is_progressive || config.sequential || config.criterion == kMeasuredSelection;
        const double begin = has_measured ? kSearchShare : 0.0;
        const double written = static_cast<double>(done) / static_cast<double>(total);
        const double share = begin + (kWrittenShare - begin) * written;
        context.observer.on_event(
            StageProgress{context.index, share, fmt::format("{:.0f} % written", 100 * written)});
    };
    log_warnings(plan);
    std::optional<ExpertStats> stats;
    if (plan.merges() && config.sequential && config.plan_path.empty()) {
        stats = load_expert_stats(sequential_stats(context), true);
    } else if (plan.merges() && has_stats(context, config)) {
        stats = load_stats(context, config, *model, true);
    }
    const ExpertConstants constants = constants_for(context, config, *model, plan);
    const PruneReport report =
        write_pruned({.model = *model,
                      .plan = plan,
                      .out = output.model,
                      .lineage = lineage_of(context),
                      .progress = progress,
                      .stop = context.stop,
                      .stats = stats ? &*stats : nullptr,
                      .num_threads = context.num_threads,
                      .format = config.native ? PruneFormat::Native : PruneFormat::Common,
                      .constants = constants.empty() ? nullptr : &constants});
    log_warnings(report);
    output.metrics = metrics_of(report, plan);
    output.metrics.update(
        check_cut({*model, plan, output.model, context.num_threads}, context.stop));
    const auto writes = [&](double done) {
        context.observer.on_event(
            StageProgress{context.index, kWrittenShare + (kModelShare - kWrittenShare) * done,
                          "letting the result write"});
    };
    output.metrics.update(check_repetition({.model = *model,
                                            .out = output.model,
                                            .tokens = config.repetition_tokens,
                                            .num_threads = context.num_threads,
                                            .progress = writes},
                                           context.stop));
    if (is_progressive) output.metrics["rounds"] = rounds.rounds;
    if (rounds.floor) output.metrics["floor"] = *rounds.floor;
    measure_routing(context, output.model, {config.routing_tokens, config.limits_file, kModelShare},
                    output);
    return output;
}

}  // namespace espalier
