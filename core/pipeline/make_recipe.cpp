#include "pipeline/make_recipe.h"

#include <algorithm>

#include "pipeline/measured_selection.h"

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
    return {"prune", std::move(config)};
}

/// What calibration shows while it runs: the choice of experts itself may try several.
std::string shown_criterion(const RecipeChoices& choices) {
    return choices.criterion == kMeasuredSelection ? "reap" : choices.criterion;
}

StageEntry evaluate_entry(const RecipeChoices& choices) {
    Json files = Json::array();
    for (const auto& file : choices.heldout) files.push_back(file.string());
    return {"evaluate", {{"files", std::move(files)}}};
}

}  // namespace

Recipe make_recipe(const RecipeChoices& choices, std::int64_t context_length) {
    Recipe recipe{choices.model, choices.data, choices.seed, {}};
    if (!choices.data.empty()) {
        recipe.stages.push_back({"calibrate",
                                 {{"tokens", choices.tokens},
                                  {"context", window(choices.context, context_length)},
                                  {"criterion", shown_criterion(choices)}}});
    }
    if (choices.keep.ratio || choices.keep.experts) recipe.stages.push_back(prune_entry(choices));
    if (!choices.type.empty()) recipe.stages.push_back({"quantize", {{"type", choices.type}}});
    if (!choices.heldout.empty()) recipe.stages.push_back(evaluate_entry(choices));
    return recipe;
}

}  // namespace espalier
