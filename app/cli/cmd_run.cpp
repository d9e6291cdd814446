#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/progress_line.h"
#include "pipeline/runner.h"
#include "store/database.h"

namespace espalier::cli {
namespace {

struct RunOptions {
    std::string recipe;
    std::string out;
    bool resumes = false;
};

std::optional<Json> run_recipe_file(const RunOptions& options, const Session& session) {
    const Measure measure;
    TerminalObserver observer(LogLines::Logged);
    const Json report = execute_recipe({.recipe = load_recipe(options.recipe),
                                        .out = options.out,
                                        .resumes = options.resumes,
                                        .num_threads = session.num_threads,
                                        .memory_budget = session.memory_budget,
                                        .library = library_path()},
                                       observer, session.stop);
    if (!session.json)
        fmt::print("{}\n", (std::filesystem::path(options.out) / "report.md").string());
    return measure.result(options.out, report);
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<RunOptions>();
    auto* command = app.add_subcommand("run", "Every stage of a recipe");
    command->add_option("RECIPE", options->recipe, "recipe.json")
        ->required()
        ->check(CLI::ExistingFile);
    command->add_option("--out", options->out, "The run's folder")->required();
    command->add_flag("--resume", options->resumes, "Go on with a run that was stopped");
    does(*command, chosen, options, run_recipe_file);
}

}  // namespace espalier::cli
