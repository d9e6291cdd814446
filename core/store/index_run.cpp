#include <chrono>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "store/library.h"
#include "store/routing_refusal.h"
#include "store/statement.h"

// A run folder says everything about a run; these functions read it back into the library.
namespace espalier {
namespace fs = std::filesystem;
namespace {

std::int64_t unix_time(const fs::path& path) {
    const auto time = std::chrono::file_clock::to_sys(fs::last_write_time(path));
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string text_or(const Json& json, const char* key, std::string fallback) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : fallback;
}

double number_or_zero(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number() ? found->get<double>() : 0.0;
}

/// "02-prune" -> 1; nothing for other folders and for partial ones.
std::optional<std::int64_t> stage_position(const std::string& name) {
    const auto dash = name.find('-');
    if (dash == std::string::npos || dash < 2 || dash > 6 || name.ends_with(".partial")) return {};
    for (const char digit : name.substr(0, dash)) {
        if (digit < '0' || digit > '9') return {};
    }
    return std::stoll(name.substr(0, dash)) - 1;
}

void index_metrics(Library& library, const std::string& run, const StageRecord& stage,
                   const Json& metrics) {
    if (!metrics.is_object()) return;
    for (const auto& [name, value] : metrics.items()) {
        if (value.is_number()) library.put_metric(run, stage.stage, name, value.get<double>());
    }
}

/// @return whether a stage lost routing that nobody has accepted
bool index_stages(Library& library, const fs::path& folder) {
    bool refused = false;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const auto position = stage_position(entry.path().filename().string());
        if (!position || !fs::exists(entry.path() / "stage.json")) continue;
        const Json record = read_json_file(entry.path() / "stage.json");
        const StageRecord stage{
            *position, text_or(record, "stage", ""), number_or_zero(record, "seconds"),
            static_cast<std::int64_t>(number_or_zero(record, "peak_bytes")), record.dump()};
        library.put_stage(folder.string(), stage);
        index_metrics(library, folder.string(), stage, record.value("metrics", Json::object()));
        refused = refused || is_routing_refused(record);
    }
    return refused;
}

}  // namespace

bool Library::index_run(const fs::path& run_folder) {
    const fs::path folder = fs::weakly_canonical(run_folder);
    const fs::path recipe_path = folder / "recipe.json";
    if (!fs::exists(recipe_path)) return false;
    const Json recipe = read_json_file(recipe_path);
    const fs::path report_path = folder / "report.json";
    const bool finished = fs::exists(report_path);

    return store_guarded("indexing a run", [&] {
        SQLite::Transaction transaction(database_.sql());
        remove_run(folder.string());
        RunRecord run{folder.string(),
                      folder.filename().string(),
                      text_or(recipe, "model", ""),
                      finished ? "finished" : "stopped",
                      recipe.dump(),
                      "",
                      unix_time(recipe_path),
                      0};
        if (finished) {
            run.report = read_json_file(report_path).dump();
            run.ended_unix = unix_time(report_path);
        }
        put_run(run);
        if (index_stages(*this, folder) && !finished) {
            run.state = "held";
            put_run(run);
        }
        transaction.commit();
        return true;
    });
}

std::size_t Library::rebuild(const std::vector<fs::path>& parents) {
    std::size_t count = 0;
    for (const auto& parent : parents) {
        if (!fs::is_directory(parent)) continue;
        for (const auto& entry : fs::directory_iterator(parent)) {
            if (!entry.is_directory()) continue;
            try {
                count += index_run(entry.path()) ? 1 : 0;
            } catch (const std::exception& error) {
                log("store").warn("{} is left out of the library: {}", entry.path().string(),
                                  error.what());
            }
        }
    }
    return count;
}

}  // namespace espalier
