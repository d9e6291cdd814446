#include "ui/bridge/stats_sources.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "formats/safetensors_reader.h"
#include "pipeline/recipe.h"
#include "routing/expert_stats_file.h"
#include "store/look_at_model.h"

namespace espalier::ui {
namespace {

namespace fs = std::filesystem;

fs::path importsPath() { return data_folder() / "statistics" / "imports.json"; }

std::string keyOf(const QString& model) { return model_key(model.toStdString()).string(); }

Json readImports() {
    return fs::exists(importsPath()) ? read_json_file(importsPath()) : Json::object();
}

std::vector<std::string> importsOf(const Json& imports, const std::string& key) {
    const auto found = imports.find(key);
    if (found == imports.end() || !found->is_array()) return {};
    std::vector<std::string> paths;
    for (const Json& path : *found) {
        if (path.is_string()) paths.push_back(path.get<std::string>());
    }
    return paths;
}

/// Adds the file if it can be read: one broken file must not hide the others.
void add(std::vector<StatsSource>& sources, const fs::path& path,
         const std::function<void(StatsSource&)>& complete) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return;
    try {
        StatsSource source = readStatsSource(path);
        complete(source);
        sources.push_back(std::move(source));
    } catch (const Error& error) {
        log("ui").warn("{} is left out: {}", path.string(), error.what());
    }
}

/// A calibrate stage that measured the model itself: nothing changed it before.
void addRun(std::vector<StatsSource>& sources, Library& library, const RunRecord& run) {
    for (const StageRecord& stage : library.stages(run.path)) {
        const Json record = parse_json(stage.record, "stage.json");
        const Json outputs = record.value("outputs", Json::object());
        const auto name = outputs.value("stats", std::string());
        if (!name.empty()) {
            const fs::path folder = fmt::format("{:02}-{}", stage.position + 1, stage.stage);
            add(sources, fs::path(run.path) / folder / name, [&](StatsSource& source) {
                source.runFolder = QString::fromStdString(run.path);
                source.measuredUnix = run.ended_unix;
                const auto recipe = parse_json(run.recipe, "recipe.json");
                source.data = recipe_from_json(recipe, run.path).data;
            });
        }
        if (!outputs.value("model", std::string()).empty()) return;
    }
}

}  // namespace

StatsSource readStatsSource(const fs::path& path) {
    const SafetensorsFile file(path);
    const auto found = file.metadata().find("espalier");
    const Json about = found == file.metadata().end()
                           ? Json::object()
                           : parse_json(found->second, path.string() + " (metadata)");
    if (about.value("kind", std::string()) != kExpertStatsKind) {
        throw Error(ErrorCode::FileMalformed,
                    fmt::format("{} holds no statistics of experts.", path.filename().string()),
                    "Choose the file that `calibrate` wrote.");
    }
    StatsSource source;
    source.path = QString::fromStdString(path.string());
    source.modelHash = QString::fromStdString(about.value("model_hash", std::string()));
    source.tokens = about.value("tokens", std::int64_t{0});
    for (const Json& task : about.value("tasks", Json::array())) {
        if (task.is_string()) source.tasks.append(QString::fromStdString(task.get<std::string>()));
    }
    return source;
}

std::vector<StatsSource> findStatsSources(Library& library, const QString& model) {
    const std::string key = keyOf(model);
    std::vector<StatsSource> sources;
    for (const RunRecord& run : library.runs()) {
        if (!run.model.empty() && model_key(run.model).string() == key)
            addRun(sources, library, run);
    }
    for (const std::string& path : importsOf(readImports(), key)) add(sources, path, [](auto&) {});
    return sources;
}

StatsSource importStats(const QString& model, const QString& path) {
    StatsSource source = readStatsSource(path.toStdString());
    Json imports = readImports();
    const std::string key = keyOf(model);
    std::vector<std::string> paths = importsOf(imports, key);
    if (std::find(paths.begin(), paths.end(), path.toStdString()) == paths.end())
        paths.push_back(path.toStdString());
    imports[key] = paths;
    fs::create_directories(importsPath().parent_path());
    write_json_file(importsPath(), imports);
    return source;
}

void exportStats(const QString& from, const QString& to) {
    const MappedFile file(from.toStdString());
    AtomicFile copy(to.toStdString());
    copy.write(file.bytes());
    copy.commit();
}

}  // namespace espalier::ui
