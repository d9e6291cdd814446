#include "pipeline/recipe.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <initializer_list>
#include <string_view>

#include "base/error.h"
#include "base/file_hash.h"
#include "pipeline/config_fields.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr int kVersion = 1;
constexpr std::string_view kDataRole = "calibration";

[[noreturn]] void refuse(const std::string& field, const std::string& problem) {
    throw Error(ErrorCode::RunRecipe, fmt::format("Recipe: \"{}\" {}.", field, problem),
                "Correct the recipe.");
}

void check_keys(const Json& json, const std::string& prefix,
                std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : json.items()) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        refuse(prefix + key, fmt::format("is not known; there are {}", fmt::join(known, ", ")));
    }
}

template <typename T>
T required(const Json& json, const std::string& prefix, const char* key, std::string_view kind) {
    const auto found = json.find(key);
    if (found == json.end()) refuse(prefix + key, "is missing");
    T value{};
    if (!read_json_value(*found, value)) {
        refuse(prefix + key, fmt::format("must be {}, not {}", kind, found->dump()));
    }
    return value;
}

template <typename T>
T optional_or(const Json& json, const std::string& prefix, const char* key, std::string_view kind,
              T fallback) {
    if (!json.contains(key)) return fallback;
    return required<T>(json, prefix, key, kind);
}

/// A member that must be a list, empty if absent.
const Json& list_member(const Json& json, const char* key) {
    static const Json none = Json::array();
    const auto found = json.find(key);
    if (found == json.end()) return none;
    if (!found->is_array()) refuse(key, "must be a list");
    return *found;
}

fs::path resolve(const std::string& path, const fs::path& base) {
    const fs::path given(path);
    return (given.is_absolute() ? given : fs::absolute(base) / given).lexically_normal();
}

DataSource data_from_json(const Json& json, std::size_t index, const fs::path& base) {
    if (!json.is_object()) refuse(fmt::format("data[{}]", index), "must be an object");
    const std::string prefix = fmt::format("data[{}].", index);
    check_keys(json, prefix, {"path", "task", "role", "weight"});
    DataSource source;
    source.path = resolve(required<std::string>(json, prefix, "path", "a text"), base);
    source.task = optional_or<std::string>(json, prefix, "task", "a text", "");
    source.weight = optional_or<double>(json, prefix, "weight", "a number", 1.0);
    if (!(source.weight > 0) || !std::isfinite(source.weight)) {
        refuse(prefix + "weight", "must be above 0");
    }
    if (optional_or<std::string>(json, prefix, "role", "a text", std::string(kDataRole)) !=
        kDataRole) {
        refuse(prefix + "role", fmt::format("can only be \"{}\"", kDataRole));
    }
    return source;
}

/// Fields that hold paths are known by their names, so that a recipe can be read without opening
/// the module in which a stage lives.
bool holds_paths(std::string_view field) {
    return field == "files" || field.ends_with("_path") || field.ends_with("_file");
}

void resolve_paths(Json& value, const fs::path& base) {
    if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
        value = resolve(value.get<std::string>(), base).string();
    } else if (value.is_array()) {
        for (Json& item : value) resolve_paths(item, base);
    }
}

StageEntry stage_from_json(const Json& json, std::size_t index, const fs::path& base) {
    if (!json.is_object()) refuse(fmt::format("stages[{}]", index), "must be an object");
    StageEntry entry;
    entry.stage = required<std::string>(json, fmt::format("stages[{}].", index), "stage", "a text");
    for (const auto& [key, value] : json.items()) {
        if (key == "stage") continue;
        entry.config[key] = value;
        if (holds_paths(key)) resolve_paths(entry.config[key], base);
    }
    return entry;
}

}  // namespace

Json to_json(const Recipe& recipe) {
    Json data = Json::array();
    for (const DataSource& source : recipe.data) {
        data.push_back({{"path", source.path.string()},
                        {"task", source.task},
                        {"role", kDataRole},
                        {"weight", source.weight}});
    }
    Json stages = Json::array();
    for (const StageEntry& entry : recipe.stages) {
        Json stage = {{"stage", entry.stage}};
        stage.update(entry.config);
        stages.push_back(std::move(stage));
    }
    return {{"version", kVersion},
            {"model", recipe.model.string()},
            {"data", std::move(data)},
            {"seed", recipe.seed},
            {"stages", std::move(stages)}};
}

Recipe recipe_from_json(const Json& json, const fs::path& base) {
    if (!json.is_object()) {
        throw Error(ErrorCode::RunRecipe, "The recipe is not a JSON object.",
                    "Choose a recipe file.");
    }
    check_keys(json, "", {"version", "model", "data", "seed", "stages"});
    const auto version = required<std::int64_t>(json, "", "version", "a whole number");
    if (version != kVersion) {
        refuse("version", fmt::format("is {}, this program reads version {}", version, kVersion));
    }
    Recipe recipe;
    const auto model = required<std::string>(json, "", "model", "a text");
    if (model.empty()) refuse("model", "is empty");
    recipe.model = resolve(model, base);
    recipe.seed = optional_or<std::uint64_t>(json, "", "seed", "a whole number from 0", 0);
    const Json& data = list_member(json, "data");
    for (std::size_t i = 0; i < data.size(); ++i) {
        recipe.data.push_back(data_from_json(data[i], i, base));
    }
    const Json& stages = list_member(json, "stages");
    if (stages.empty()) refuse("stages", "lists no stage");
    for (std::size_t i = 0; i < stages.size(); ++i) {
        recipe.stages.push_back(stage_from_json(stages[i], i, base));
    }
    return recipe;
}

Recipe load_recipe(const fs::path& path) {
    return recipe_from_json(read_json_file(path), fs::absolute(path).parent_path());
}

std::string recipe_hash(const Recipe& recipe) { return sha256_of_text(to_json(recipe).dump()); }

}  // namespace espalier
