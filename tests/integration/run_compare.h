#pragma once

#include <QString>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/atomic_file.h"
#include "base/file_hash.h"
#include "base/json.h"

namespace espalier::test {

/// Removes what may differ between two runs of one recipe: times, speeds, memory, the run's own
/// path, and how often it was cut off.
inline Json without_circumstances(Json json, const std::string& folder) {
    static const std::set<std::string> circumstances{"seconds", "peak_bytes", "tokens_per_second",
                                                     "layers_resumed"};
    if (json.is_object()) {
        Json kept = Json::object();
        for (const auto& [name, value] : json.items()) {
            if (!circumstances.contains(name)) kept[name] = without_circumstances(value, folder);
        }
        return kept;
    }
    if (json.is_array()) {
        for (Json& value : json) value = without_circumstances(value, folder);
    }
    if (json.is_string()) {
        auto text = json.get<std::string>();
        if (text.starts_with(folder)) json = text.substr(folder.size());
    }
    return json;
}

/// Every file of a run by its name, with what must be the same in another run of its recipe. The
/// log and the report for people tell times and are not among them.
inline std::map<std::string, std::string> results_of(const std::filesystem::path& run) {
    std::map<std::string, std::string> results;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
        const auto name = entry.path().filename().string();
        if (!entry.is_regular_file() || name == "log.txt" || name == "report.md") continue;
        const bool is_record = name == "report.json" || name == "stage.json";
        results[entry.path().lexically_relative(run).string()] =
            is_record ? without_circumstances(read_json_file(entry.path()), run.string()).dump()
                      : sha256_of_file(entry.path());
    }
    return results;
}

/// Empty if both runs left the same, else what differs.
inline QString difference_of_runs(const std::filesystem::path& a, const std::filesystem::path& b) {
    const auto left = results_of(a);
    const auto right = results_of(b);
    for (const auto& [name, result] : left) {
        const auto other = right.find(name);
        if (other == right.end()) return QString::fromStdString(name + " is missing");
        if (other->second != result) {
            return QString::fromStdString(name + ": " + result + "\nis not " + other->second);
        }
    }
    for (const auto& [name, result] : right) {
        if (!left.contains(name)) return QString::fromStdString(name + " is too much");
    }
    return {};
}

}  // namespace espalier::test
