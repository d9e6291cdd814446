#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/recipe.h"
#include "prune/select_experts.h"

namespace espalier {

/// How much time goes into choosing the experts.
struct Preset {
    std::string_view name;         ///< as the window and recipes of it spell it
    std::string_view description;  ///< one sentence for people
    std::string_view criterion;
    double search_seconds;
    std::string_view stats;  ///< what calibration gathers beside the cheap statistics
};

/// fast, balanced, best: from the quickest to the most thorough.
std::span<const Preset> presets();

/// The few choices from which a whole recipe follows.
struct RecipeChoices {
    std::filesystem::path model;
    KeepTarget keep;                             ///< neither ratio nor experts = nothing is pruned
    std::string type = "q4_k_m";                 ///< empty = stays a hub folder
    std::vector<DataSource> data;                ///< to calibrate on; empty = not measured at all
    std::vector<std::filesystem::path> heldout;  ///< to compare on; empty = not compared
    std::string criterion = "auto";
    double search_seconds = 120;  ///< for auto
    std::string stats;            ///< beside those that the criterion needs
    std::int64_t tokens = 1'000'000;
    std::int64_t context = 2048;
    std::uint64_t seed = 0;
};

/// calibrate, prune, quantize, evaluate: those that the choices ask for. A window is no longer than
/// `context_length`, the model's own; 0 = not known.
Recipe make_recipe(const RecipeChoices& choices, std::int64_t context_length = 0);

}  // namespace espalier
