#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "app/cli/commands.h"
#include "base/error.h"
#include "base/size_text.h"
#include "model/model_report.h"
#include "store/library.h"

namespace espalier::cli {
namespace {

struct ModelsOptions {
    std::string target;
    std::string name;
};

Json to_json(const ModelRecord& record) {
    return {{"name", record.name},
            {"path", record.path},
            {"family", record.family},
            {"parameters", record.parameters},
            {"bytes", record.bytes}};
}

std::optional<Json> list(const ModelsOptions&, const Session& session) {
    Json models = Json::array();
    for (const ModelRecord& record : Library(library_path()).models()) {
        if (!session.json) {
            fmt::print("{:<32}{:<14}{:>10}  {}\n", record.name, record.family,
                       size_text(static_cast<std::uint64_t>(record.bytes)), record.path);
        }
        models.push_back(to_json(record));
    }
    return Json{{"models", models}};
}

std::optional<Json> add(const ModelsOptions& options, const Session& session) {
    const auto source = ModelSource::open(options.target);
    const auto path = std::filesystem::canonical(options.target);
    const ModelReport report = report_on(*source);
    const ModelRecord record{.name = options.name.empty() ? source->name() : options.name,
                             .path = path.string(),
                             .family = report.family,
                             .parameters = static_cast<std::int64_t>(report.total_parameters),
                             .bytes = static_cast<std::int64_t>(report.bytes),
                             .added_unix = std::time(nullptr)};
    Library(library_path()).put_model(record);
    if (!session.json) fmt::print("{}\n", record.name);
    return to_json(record);
}

std::optional<Json> remove(const ModelsOptions& options, const Session& session) {
    if (!Library(library_path()).remove_model(options.target)) {
        throw Error(ErrorCode::FileMissing,
                    fmt::format("The library has no model \"{}\".", options.target),
                    "List the names with `espalier-cli models list`.");
    }
    if (!session.json) fmt::print("{} is out of the library; its files stay.\n", options.target);
    return Json{{"removed", options.target}};
}

}  // namespace

void add_models(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<ModelsOptions>();
    auto* models = app.add_subcommand("models", "The library of models");
    models->require_subcommand(1);
    does(*models->add_subcommand("list", "What is in it"), chosen, options, list);
    auto* adding = models->add_subcommand("add", "Links a model; its files stay where they are");
    adding->add_option("PATH", options->target, "Hub folder or .gguf")->required();
    adding->add_option("--name", options->name, "Its name here (default: folder or file name)");
    does(*adding, chosen, options, add);
    auto* removing = models->add_subcommand("remove", "Forgets a model; its files stay");
    removing->add_option("NAME", options->target, "Its name")->required();
    does(*removing, chosen, options, remove);
}

}  // namespace espalier::cli
