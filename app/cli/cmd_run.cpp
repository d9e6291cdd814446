#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/progress_line.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/runner.h"
#include "store/database.h"

namespace espalier::cli {
namespace {

struct RunOptions {
    std::string recipe;
    std::string out;
    bool resumes = false;
    bool accepts_routing = false;
};

/// A run needs no library: its folder has everything.
std::filesystem::path library_if_there() {
    try {
        return library_path();
    } catch (const Error& error) {
        log("run").warn("This run is not shown in the library: {}", error.what());
        return {};
    }
}

std::optional<Json> run_recipe_file(const RunOptions& options, const Session& session) {
    const Measure measure;
    TerminalObserver observer;
    const Json report =
        execute_recipe({.recipe = load_recipe(options.recipe),
                        .out = options.out,
                        .resumes = options.resumes,
                        .num_threads = session.num_threads,
                        .memory_budget = session.memory_budget,
                        .library = library_if_there(),
                        .accepts_routing = options.accepts_routing ? kAllStages : 0},
                       observer, session.stop);
    if (!session.json)
        fmt::print("{}\n", (std::filesystem::path(options.out) / "report.md").string());
    return measure.result(options.out, report);
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RunOptions>();
    auto* command = app.add_subcommand("run", "Every stage of a recipe");
    command->add_option("RECIPE", options->recipe, "recipe.json")->required();
    command->add_option("--out", options->out, "The run's folder")->required();
    command->add_flag("--resume", options->resumes, "Go on with a run that was stopped");
    command->add_flag("--accept-routing", options->accepts_routing,
                      "Go on behind a stage whose routing fails its limits");
    does(*command, chosen, options, run_recipe_file);
}

}  // namespace espalier::cli
