#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/find_model.h"
#include "app/cli/progress_line.h"
#include "pipeline/model_metrics.h"
#include "pipeline/output_place.h"
#include "prune/diff_experts.h"

namespace espalier::cli {
namespace {

struct DiffCommand {
    std::string original;
    std::string cut;
    std::string out;
};

std::vector<std::int32_t> missing_from(const std::vector<std::int32_t>& kept,
                                       std::int64_t num_experts) {
    std::vector<std::int32_t> missing;
    for (std::int32_t e = 0; e < num_experts; ++e) {
        if (std::find(kept.begin(), kept.end(), e) == kept.end()) missing.push_back(e);
    }
    return missing;
}

std::optional<Json> diff(const DiffCommand& options, const Session& session) {
    const Measure measure;
    const auto original = open_model(options.original);
    const auto cut = open_model(options.cut);
    if (!options.out.empty()) require_apart(options.out, {original->path(), cut->path()});
    ProgressLine line;
    const auto found = diff_experts(
        *original, *cut,
        [&](std::size_t done, std::size_t total) {
            line.show(static_cast<double>(done) / static_cast<double>(total), "comparing weights");
        },
        session.stop);
    line.clear();
    const ExpertPlan plan = plan_of_diff(*original, found);
    if (!options.out.empty()) save_expert_plan(plan, options.out);
    const std::int64_t before = original->config().router.num_experts;
    const std::int64_t after = cut->config().router.num_experts;
    Json layers = Json::array();
    double certainty = 1.0;
    bool is_equal = true;
    for (const Json& row : plan.reasons.at("diff")) {
        const auto layer = row.at("layer").get<std::int64_t>();
        Json told = row;
        told["missing"] = missing_from(plan.layers.at(layer).kept, before);
        certainty = std::min(certainty, row.at("certainty").get<double>());
        is_equal = is_equal && row.at("equal").get<bool>();
        if (!session.json) {
            fmt::print("layer {:>3}: without {}\n", layer,
                       fmt::join(told.at("missing").get<std::vector<std::int32_t>>(), " "));
        }
        layers.push_back(std::move(told));
    }
    if (!session.json) {
        fmt::print("{} of {} experts a layer; {}\n", after, before,
                   is_equal ? "their weights have the same bytes"
                            : fmt::format("the nearest by their weights, {:.1f} % certain or more",
                                          100 * certainty));
    }
    return measure.result(options.out, {{"experts_before", before},
                                        {"experts_after", after},
                                        {"equal", is_equal},
                                        {"certainty", certainty},
                                        {"layers", std::move(layers)}});
}

}  // namespace

void add_diff(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DiffCommand>();
    auto* command = app.add_subcommand(
        "diff", "Which experts a cut model lacks, found by comparing weights, as a plan");
    command->add_option("ORIGINAL", options->original, "Hub folder, .gguf or library name")
        ->required();
    command->add_option("CUT", options->cut, "What was cut from it")->required();
    command->add_option("--out", options->out, "The expert plan");
    does(*command, chosen, options, diff);
}

}  // namespace espalier::cli
