#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/round_options.h"
#include "app/cli/select_options.h"
#include "base/error.h"
#include "base/size_text.h"
#include "pipeline/check_cut.h"
#include "pipeline/check_repetition.h"
#include "pipeline/model_metrics.h"
#include "pipeline/output_place.h"
#include "pipeline/stats_for_model.h"
#include "prune/write_pruned.h"

namespace espalier::cli {
namespace {

struct PruneCommand {
    std::string model;
    SelectionOptions selection;
    std::string plan;
    std::string channels;
    std::string out;
    bool native = false;
    std::int64_t repetition_tokens = 0;
    RoundOptions rounds;
};

ExpertPlan plan_of(const PruneCommand& options, const ModelSource& model, const Session& session) {
    const bool chooses = !options.selection.stats.empty() && !options.selection.keep.empty();
    if (!chooses && !options.selection.sequential.empty()) {
        throw Error(ErrorCode::UsageInvalid, "Choosing layer by layer needs --stats and --keep.",
                    "A plan that is there already is applied as it is.");
    }
    if (!chooses && options.plan.empty() && !options.channels.empty()) return {};  // all experts
    if (chooses == !options.plan.empty()) {
        throw Error(
            ErrorCode::UsageInvalid, "Pruning needs either --stats and --keep, or --expert-plan.",
            "Give statistics and how much stays, or a plan that `select` wrote; or channels "
            "with --channel-plan.");
    }
    if (chooses) return options.selection.choose(model, session);
    ExpertPlan plan = load_expert_plan(options.plan);
    const auto& accept = options.selection.select.accept;
    plan.accept.insert(plan.accept.end(), accept.begin(), accept.end());
    return plan;
}

/// What a plan that merges needs beside itself.
std::optional<ExpertStats> stats_for_merging(const PruneCommand& options, const ExpertPlan& plan,
                                             const ModelSource& model) {
    if (!plan.merges()) return std::nullopt;
    if (options.selection.stats.empty()) {
        throw Error(ErrorCode::UsageInvalid,
                    "The plan merges experts: --stats must say what their neurons do.",
                    "Give the statistics that the plan was made from.");
    }
    return load_stats_for_model(options.selection.plan_stats(), model, true);
}

/// Mean outputs for a plan that replaces experts; nothing for others.
ExpertConstants constants_for(const PruneCommand& options, const ModelSource& model,
                              const ExpertPlan& plan) {
    const std::string& stats = options.selection.stats;
    if (!options.native || !replaces_experts(plan) || stats.empty()) return {};
    return mean_outputs(load_stats_for_model(stats, model, true), plan, model.config());
}

void print_report(const std::string& out, const PruneReport& report) {
    std::string experts = std::to_string(report.experts_after);
    if (report.experts_after_min != report.experts_after && report.constants == 0) {
        experts = fmt::format("{} to {}", report.experts_after_min, report.experts_after);
    }
    fmt::print("{}: {} of {} experts a layer, {} of {} channels each, {} → {}\n", out, experts,
               report.experts_before, report.width_after, report.width_before,
               size_text(report.bytes_before), size_text(report.bytes_after));
    if (report.constants > 0) {
        fmt::print("{} experts became constants\n", report.constants);
    }
}

std::optional<Json> prune(const PruneCommand& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    require_apart(options.out, {model->path(), options.selection.stats,
                                options.selection.sequential, options.plan, options.channels});
    std::optional<ChannelPlan> channels;
    if (!options.channels.empty()) channels = load_channel_plan(options.channels);
    ProgressiveResult rounds;
    if (options.rounds.is_asked()) {
        if (!options.selection.sequential.empty()) {
            throw Error(ErrorCode::UsageInvalid,
                        "Rounds choose all layers at once; --sequential one after the other.",
                        "Leave one of them away; --remeasure-every has each round measured anew.");
        }
        if (options.selection.stats.empty() || options.selection.keep.empty()) {
            throw Error(ErrorCode::UsageInvalid, "Rounds need --stats and --keep.",
                        "A plan that is there already is applied in one go.");
        }
        rounds = options.rounds.run(options.selection, *model, options.out + ".rounds", session);
    }
    const ExpertPlan plan =
        options.rounds.is_asked() ? rounds.plan : plan_of(options, *model, session);
    const auto recovered = rounds.model.empty() ? nullptr : ModelSource::open(rounds.model);
    log_warnings(plan);
    const auto stats = stats_for_merging(options, plan, *model);
    const ExpertConstants constants = constants_for(options, *model, plan);
    ProgressLine line;
    Json lineage = {{"stage", "prune"}, {"config", {{"criterion", plan.criterion}}}};
    if (plan.merges()) lineage["config"]["merge"] = plan.merge;
    if (channels) lineage["config"]["channels"] = channels->kept;
    const PruneReport report =
        write_pruned({.model = recovered ? *recovered : *model,
                      .plan = plan,
                      .out = options.out,
                      .lineage = lineage,
                      .progress = line.of_writer(),
                      .stop = session.stop,
                      .channels = channels ? &*channels : nullptr,
                      .stats = stats ? &*stats : nullptr,
                      .num_threads = session.num_threads,
                      .format = options.native ? PruneFormat::Native : PruneFormat::Common,
                      .constants = constants.empty() ? nullptr : &constants});
    line.clear();
    log_warnings(report);
    if (!session.json) print_report(options.out, report);
    Json metrics = metrics_of(report, plan);
    if (!channels) {
        metrics.update(
            check_cut({recovered ? *recovered : *model, plan, options.out, session.num_threads},
                      session.stop));
    }
    metrics.update(
        check_repetition({.model = *model,
                          .out = options.out,
                          .tokens = options.repetition_tokens,
                          .num_threads = session.num_threads,
                          .progress = [&](double share) { line.show(share, "writing texts"); }},
                         session.stop));
    line.clear();
    if (options.rounds.is_asked()) metrics["rounds"] = rounds.rounds;
    if (rounds.floor) metrics["floor"] = *rounds.floor;
    return measure.result(options.out, std::move(metrics));
}

}  // namespace

void add_prune(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<PruneCommand>();
    auto* command = app.add_subcommand("prune", "Writes the model without some of its experts");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    options->selection.add_to(*command);
    command->add_option("--expert-plan", options->plan,
                        "A plan instead of --keep; one that merges needs its --stats");
    command->add_option("--channel-plan", options->channels,
                        "Channels to cut, from `select --unit channels`; all experts stay without "
                        "a plan of them");
    command->add_flag("--native", options->native,
                      "Allows what Espalier alone can run: different numbers of experts in "
                      "different layers, constants in place of experts");
    command
        ->add_option("--repetition-tokens", options->repetition_tokens,
                     "Lets the result write eight texts of so many tokens, and the original, to "
                     "see whether it repeats itself")
        ->check(CLI::NonNegativeNumber);
    options->rounds.add_to(*command);
    command->add_option("--out", options->out, "Folder, or .gguf if MODEL is one")->required();
    does(*command, chosen, options, prune);
}

}  // namespace espalier::cli
