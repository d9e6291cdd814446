#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "pipeline/output_place.h"
#include "routing/expert_stats.h"

namespace espalier::cli {
namespace {

struct MergeOptions {
    std::vector<std::string> files;
    std::string out;
};

std::optional<Json> merge_stats(const MergeOptions& options, const Session& session) {
    const Measure measure;
    for (const std::string& file : options.files) require_apart(options.out, {file});
    std::vector<ExpertStats> shards;
    for (const std::string& file : options.files) shards.push_back(load_expert_stats(file, true));
    const ExpertStats merged = merge_expert_stats(shards);
    save_expert_stats(merged, options.out);
    if (!session.json) fmt::print("{}: {} tokens\n", options.out, merged.total_tokens());
    return measure.result(options.out,
                          {{"tokens", merged.total_tokens()}, {"shards", shards.size()}});
}

}  // namespace

void add_merge_stats(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<MergeOptions>();
    auto* command = app.add_subcommand("merge-stats",
                                       "Joins the shards of one calibration, in the order given");
    command->add_option("FILE", options->files, "Statistics of the shards")->required();
    command->add_option("--out", options->out, "The joined statistics file")->required();
    does(*command, chosen, options, merge_stats);
}

}  // namespace espalier::cli
