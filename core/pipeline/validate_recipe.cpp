#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "base/error.h"
#include "pipeline/recipe.h"
#include "pipeline/stage.h"
#include "routing/stat_choice.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

void require_file(const fs::path& path, const std::string& what) {
    std::error_code error;
    if (fs::exists(path, error)) return;
    throw Error(ErrorCode::FileMissing,
                fmt::format("{} of the recipe is not there: {}.", what, path.string()),
                "Correct the path in the recipe; relative paths start at the recipe's folder.");
}

std::string text_of(const StageEntry& entry, const char* name) {
    const auto found = entry.config.find(name);
    return found != entry.config.end() && found->is_string() ? found->get<std::string>() : "";
}

bool has_what_to_choose_by(const StageEntry& entry) {
    return !text_of(entry, "plan_path").empty() || !text_of(entry, "stats_path").empty();
}

/// Calibration does not gather unasked what merging takes.
void check_merging(const StageEntry& prune, const StageEntry& calibrate) {
    if (text_of(prune, "merge").empty()) return;
    if (StatChoice::parse(text_of(calibrate, "stats")).has(OptionalStat::Profiles)) return;
    throw Error(ErrorCode::RunRecipe,
                "The stage prune merges experts, but the calibrate stage before it does not gather "
                "\"profiles\".",
                "Set \"stats\": \"profiles\" in the calibrate stage.");
}

/// A prune stage scores experts by statistics, so something before it must have made them.
void check_order(const Recipe& recipe) {
    bool has_stats = false;
    const StageEntry* calibrate = nullptr;
    for (const StageEntry& entry : recipe.stages) {
        if (entry.stage == "calibrate" && recipe.data.empty()) {
            throw Error(ErrorCode::RunRecipe,
                        "Recipe: \"data\" is empty, but the stage calibrate reads it.",
                        "List at least one file of texts under \"data\".");
        }
        if (entry.stage == "prune" && !has_stats && !has_what_to_choose_by(entry)) {
            throw Error(ErrorCode::RunRecipe,
                        "The stage prune has neither statistics nor an expert plan.",
                        "Put a calibrate stage before it, or give it a plan_path or a "
                        "stats_path.");
        }
        if (entry.stage == "calibrate") calibrate = &entry;
        if (entry.stage == "prune" && calibrate != nullptr) check_merging(entry, *calibrate);
        has_stats = has_stats || entry.stage == "calibrate";
    }
}

void check_config_files(const StageEntry& entry) {
    const auto files = entry.config.find("files");
    if (files != entry.config.end() && files->is_array()) {
        for (const Json& file : *files) {
            require_file(file.get<std::string>(),
                         fmt::format("A file of the stage {}", entry.stage));
        }
    }
    const std::string plan = text_of(entry, "plan_path");
    if (!plan.empty()) require_file(plan, "The expert plan");
    const std::string stats = text_of(entry, "stats_path");
    if (!stats.empty()) require_file(stats, "The file of statistics");
}

}  // namespace

void validate(const Recipe& recipe) {
    if (recipe.stages.empty()) {
        throw Error(ErrorCode::RunRecipe, "Recipe: \"stages\" lists no stage.",
                    "Add at least one stage.");
    }
    require_file(recipe.model, "The model");
    for (const DataSource& source : recipe.data) require_file(source.path, "A data file");
    check_order(recipe);
    for (const StageEntry& entry : recipe.stages) {
        find_stage(entry.stage).validate(entry.config);
        check_config_files(entry);
    }
}

}  // namespace espalier
