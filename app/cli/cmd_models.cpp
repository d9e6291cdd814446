#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/size_text.h"
#include "base/utf8.h"
#include "model/model_report.h"
#include "store/find_models.h"
#include "store/library.h"

namespace espalier::cli {
namespace {

struct ModelsOptions {
    std::string target;
    std::string name;
    bool scans = false;
};

Json to_json(const ModelRecord& record) {
    return {{"name", record.name},
            {"path", record.path},
            {"family", record.family},
            {"parameters", record.parameters},
            {"bytes", record.bytes}};
}

/// Two counts or a word why there are none: "128x8" experts, "no experts".
std::string experts_text(const ModelReport& report) {
    if (!report.experts || *report.experts < 2) return report.problem.empty() ? "no experts" : "?";
    return fmt::format("{} x {}", *report.experts, report.layers.value_or(0));
}

/// Reads headers alone. A model that cannot be opened is listed with the reason.
Json describe(const FoundModel& found, const Session& session) {
    Json json{{"name", replace_invalid_utf8(found.name)},
              {"publisher", replace_invalid_utf8(found.publisher)},
              {"path", replace_invalid_utf8(found.path.string())},
              {"from", origin_text(found.origin)},
              {"bytes", found.bytes}};
    std::string remark(gap_text(found.gap));
    if (found.gap == ModelGap::None) {
        try {
            ModelReport report = report_on(found.path);
            report.tensors.clear();
            remark = experts_text(report);
            const Json facts = to_json(report);
            for (const char* key : {"family", "layers", "experts", "experts_per_token",
                                    "parameters", "types", "context_length"}) {
                json[key] = facts.at(key);
            }
            if (facts.contains("problem")) json["problem"] = facts.at("problem");
        } catch (const Error& error) {
            remark = code_text(error.code());
            json["problem"] = replace_invalid_utf8(error.what());
        }
    } else {
        json["gap"] = gap_text(found.gap);
        json["missing"] = Json::array();
        for (const std::string& name : found.missing)
            json["missing"].push_back(replace_invalid_utf8(name));
    }
    if (!session.json) {
        fmt::print("{:<40}{:<20}{:>10}  {:<10} {}\n", found.name, remark, size_text(found.bytes),
                   origin_text(found.origin), found.path.string());
    }
    return json;
}

/// What lies in the caches of other programs and in the user's folders.
Json scan(Library& library, const Session& session) {
    std::vector<ModelRoot> roots = known_model_roots();
    for (const std::string& folder : library.model_folders())
        roots.push_back({folder, ModelOrigin::Folder});
    Json models = Json::array();
    ModelFinder finder(roots);
    while (!finder.is_done()) {
        throw_if_stopped(session.stop);
        for (const FoundModel& found : finder.step()) models.push_back(describe(found, session));
    }
    return models;
}

std::optional<Json> list(const ModelsOptions& options, const Session& session) {
    Library library(library_path());
    Json models = Json::array();
    for (const ModelRecord& record : library.models()) {
        if (!session.json) {
            fmt::print("{:<32}{:<14}{:>10}  {}\n", record.name, record.family,
                       size_text(static_cast<std::uint64_t>(record.bytes)), record.path);
        }
        models.push_back(to_json(record));
    }
    Json answer{{"models", models}};
    if (options.scans) answer["found"] = scan(library, session);
    return answer;
}

std::optional<Json> add(const ModelsOptions& options, const Session& session) {
    const auto source = ModelSource::open(options.target);
    const ModelReport report = report_on(*source);
    const ModelRecord record{.name = options.name.empty() ? source->name() : options.name,
                             .path = model_key(options.target).string(),
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
    auto* listing = models->add_subcommand("list", "What is in it");
    listing->add_flag("--scan", options->scans,
                      "Also what lies in the hub cache, LM Studio's folders and your own");
    does(*listing, chosen, options, list);
    auto* adding = models->add_subcommand("add", "Links a model; its files stay where they are");
    adding->add_option("PATH", options->target, "Hub folder or .gguf")->required();
    adding->add_option("--name", options->name, "Its name here (default: folder or file name)");
    does(*adding, chosen, options, add);
    auto* removing = models->add_subcommand("remove", "Forgets a model; its files stay");
    removing->add_option("NAME", options->target, "Its name")->required();
    does(*removing, chosen, options, remove);
}

}  // namespace espalier::cli
