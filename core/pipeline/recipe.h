#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/dataset.h"

namespace espalier {

struct StageEntry {
    std::string stage;             ///< "calibrate", "prune", "quantize", "evaluate"
    Json config = Json::object();  ///< its own fields
    bool operator==(const StageEntry&) const = default;
};

/// All that a run needs; same recipe, machine and threads give the same bytes.
struct Recipe {
    std::filesystem::path model;
    std::vector<DataSource> data;
    std::uint64_t seed = 0;
    std::vector<StageEntry> stages;
    bool operator==(const Recipe&) const = default;
};

Json to_json(const Recipe& recipe);

/// Relative paths are taken from `base`: the model, the data, and in a stage's config the fields
/// `files`, `…_path` and `…_file`, whichever stage it is.
/// @throws Error RunRecipe naming the field
Recipe recipe_from_json(const Json& json, const std::filesystem::path& base);
Recipe load_recipe(const std::filesystem::path& path);

/// Checks every stage's name and config, their order, and that the files are there, before any
/// work. @throws Error RunRecipe, FileMissing
void validate(const Recipe& recipe);

/// SHA-256 of the recipe as JSON, 64 hex digits.
std::string recipe_hash(const Recipe& recipe);

}  // namespace espalier
