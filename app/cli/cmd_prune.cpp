#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "app/cli/select_options.h"
#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"
#include "prune/write_pruned.h"

namespace espalier::cli {
namespace {

struct PruneCommand {
    std::string model;
    SelectionOptions selection;
    std::string plan;
    std::string out;
};

ExpertPlan plan_of(const PruneCommand& options, const ModelSource& model) {
    const bool chooses = !options.selection.stats.empty() && !options.selection.keep.empty();
    if (chooses == !options.plan.empty()) {
        throw Error(ErrorCode::UsageInvalid,
                    "Pruning needs either --stats and --keep, or --expert-plan.",
                    "Give statistics and how much stays, or a plan that `select` wrote.");
    }
    return chooses ? options.selection.choose(model) : load_expert_plan(options.plan);
}

std::optional<Json> prune(const PruneCommand& options, const Session& session) {
    const Measure measure;
    const auto model = open_model(options.model);
    const ExpertPlan plan = plan_of(options, *model);
    for (const Json& warning : plan.reasons.value("warnings", Json::array())) {
        log("prune").warn("{}", warning.value("text", ""));
    }
    ProgressLine line;
    const auto progress = [&](std::uint64_t done, std::uint64_t total) {
        line.show(static_cast<double>(done) / static_cast<double>(total), "writing");
    };
    const Json lineage = {{"stage", "prune"}, {"config", {{"criterion", plan.criterion}}}};
    const PruneReport report =
        write_pruned({*model, plan, options.out, lineage, progress, session.stop});
    line.clear();
    for (const auto& name : report.dropped_tensors)
        log("prune").warn("{} is not carried over", name);
    if (!session.json) {
        fmt::print("{}: {} of {} experts a layer, {} → {}\n", options.out, report.experts_after,
                   report.experts_before, size_text(report.bytes_before),
                   size_text(report.bytes_after));
    }
    return measure.result(options.out, {{"experts_before", report.experts_before},
                                        {"experts_after", report.experts_after},
                                        {"bytes_before", report.bytes_before},
                                        {"bytes_after", report.bytes_after},
                                        {"dropped_tensors", report.dropped_tensors}});
}

}  // namespace

void add_prune(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<PruneCommand>();
    auto* command = app.add_subcommand("prune", "Writes the model without some of its experts");
    command->add_option("MODEL", options->model, "Hub folder, .gguf or library name")->required();
    options->selection.add_to(*command);
    command->add_option("--expert-plan", options->plan, "A plan instead of --stats and --keep");
    command->add_option("--out", options->out, "Folder, or .gguf if MODEL is one")->required();
    does(*command, chosen, options, prune);
}

}  // namespace espalier::cli
