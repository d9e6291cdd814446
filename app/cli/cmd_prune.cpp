#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/select_options.h"
#include "base/error.h"
#include "base/size_text.h"
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
};

ExpertPlan plan_of(const PruneCommand& options, const ModelSource& model, const Session& session) {
    const bool chooses = !options.selection.stats.empty() && !options.selection.keep.empty();
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
    return load_stats_for_model(options.selection.stats, model, true);
}

std::optional<Json> prune(const PruneCommand& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    require_apart(options.out,
                  {model->path(), options.selection.stats, options.plan, options.channels});
    std::optional<ChannelPlan> channels;
    if (!options.channels.empty()) channels = load_channel_plan(options.channels);
    const ExpertPlan plan = plan_of(options, *model, session);
    log_warnings(plan);
    const auto stats = stats_for_merging(options, plan, *model);
    ProgressLine line;
    Json lineage = {{"stage", "prune"}, {"config", {{"criterion", plan.criterion}}}};
    if (plan.merges()) lineage["config"]["merge"] = plan.merge;
    if (channels) lineage["config"]["channels"] = channels->kept;
    const PruneReport report = write_pruned({.model = *model,
                                             .plan = plan,
                                             .out = options.out,
                                             .lineage = lineage,
                                             .progress = line.of_writer(),
                                             .stop = session.stop,
                                             .channels = channels ? &*channels : nullptr,
                                             .stats = stats ? &*stats : nullptr,
                                             .num_threads = session.num_threads});
    line.clear();
    log_warnings(report);
    if (!session.json) {
        fmt::print("{}: {} of {} experts a layer, {} of {} channels each, {} → {}\n", options.out,
                   report.experts_after, report.experts_before, report.width_after,
                   report.width_before, size_text(report.bytes_before),
                   size_text(report.bytes_after));
    }
    return measure.result(options.out, metrics_of(report, plan));
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
    command->add_option("--out", options->out, "Folder, or .gguf if MODEL is one")->required();
    does(*command, chosen, options, prune);
}

}  // namespace espalier::cli
