#include "pipeline/make_recipe.h"

#include <algorithm>
#include <array>

#include "pipeline/measured_selection.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

std::int64_t window(std::int64_t wished, std::int64_t context_length) {
    return context_length > 0 ? std::min(wished, context_length) : wished;
}

StageEntry prune_entry(const RecipeChoices& choices) {
    Json config = {{"criterion", choices.criterion}};
    if (choices.keep.experts) {
        config["keep_experts"] = *choices.keep.experts;
    } else {
        config["keep_ratio"] = *choices.keep.ratio;
    }
    if (choices.criterion == kMeasuredSelection) config["search_seconds"] = choices.search_seconds;
    return {"prune", std::move(config)};
}

/// What the criterion is made of and calibration would not gather by itself is added.
std::string gathered_stats(const RecipeChoices& choices) {
    if (choices.criterion == kMeasuredSelection) return choices.stats;
    const auto needed = find_criterion(choices.criterion).needed;
    if (!needed || StatChoice::parse(choices.stats).has(*needed)) return choices.stats;
    return choices.stats + (choices.stats.empty() ? "" : ",") + std::string(stat_name(*needed));
}

/// What calibration shows while it runs: the choice of experts itself may try several.
std::string shown_criterion(const RecipeChoices& choices) {
    return choices.criterion == kMeasuredSelection ? "reap" : choices.criterion;
}

StageEntry calibrate_entry(const RecipeChoices& choices, std::int64_t context_length) {
    Json config = {{"tokens", choices.tokens},
                   {"context", window(choices.context, context_length)},
                   {"criterion", shown_criterion(choices)}};
    if (const std::string stats = gathered_stats(choices); !stats.empty()) config["stats"] = stats;
    return {"calibrate", std::move(config)};
}

StageEntry evaluate_entry(const RecipeChoices& choices) {
    Json files = Json::array();
    for (const auto& file : choices.heldout) files.push_back(file.string());
    return {"evaluate", {{"files", std::move(files)}}};
}

}  // namespace

std::span<const Preset> presets() {
    static constexpr std::array<Preset, 3> kPresets{{
        {"fast", "Experts are scored by REAP; nothing is tried out.", "reap", 120, ""},
        {"balanced", "Several rankings are tried on the model, and two minutes go into exchanges.",
         kMeasuredSelection, 120, ""},
        {"best", "Every ranking is measured and tried, and ten minutes go into exchanges.",
         kMeasuredSelection, 600, "coact_gram,sas,channels"},
    }};
    return kPresets;
}

Recipe make_recipe(const RecipeChoices& choices, std::int64_t context_length) {
    Recipe recipe{choices.model, choices.data, choices.seed, {}};
    if (!choices.data.empty()) {
        recipe.stages.push_back(calibrate_entry(choices, context_length));
    }
    if (choices.keep.ratio || choices.keep.experts) recipe.stages.push_back(prune_entry(choices));
    if (!choices.type.empty()) recipe.stages.push_back({"quantize", {{"type", choices.type}}});
    if (!choices.heldout.empty()) recipe.stages.push_back(evaluate_entry(choices));
    return recipe;
}

}  // namespace espalier
