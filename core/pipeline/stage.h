#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "pipeline/events.h"
#include "pipeline/recipe.h"

namespace espalier {

/// Where a run stands when a stage begins: what the stages before it left.
struct RunState {
    std::filesystem::path original;     ///< the recipe's model
    std::filesystem::path model;        ///< newest model artifact
    std::filesystem::path stats;        ///< newest statistics, empty if none
    std::filesystem::path stats_model;  ///< what those were measured on
    std::filesystem::path plan;         ///< newest expert plan, empty if none
};

struct StageContext {
    const Recipe& recipe;
    const StageEntry& entry;
    std::size_t index = 0;
    RunState state;                   ///< in
    std::filesystem::path folder;     ///< `NN-name.partial/`: write here, find checkpoints here
    std::size_t num_threads = 0;      ///< 0 = physical cores
    std::uint64_t memory_budget = 0;  ///< bytes, 0 = no limit given
    RunObserver& observer;
    std::stop_token stop;
};

/// What a stage leaves. Paths are inside context.folder; empty = unchanged.
struct StageOutput {
    std::filesystem::path model;
    std::filesystem::path stats;
    std::filesystem::path plan;
    Json metrics = Json::object();
    Json routing = Json::object();
};

/// One setting of a stage, for forms and for options of the command line.
struct StageField {
    std::string name;
    std::string description;
    Json default_value;
};

/// A stage: a name, a check of its config, and a plain function of its context. It never knows who
/// is watching. Work is checkpointed inside context.folder, so that the same call goes on where a
/// killed one ended. make_stage() fills it from a config struct.
struct Stage {
    std::string name;
    std::function<void(const Json& config)> validate;  ///< @throws Error RunRecipe
    std::function<StageOutput(const StageContext&)> run;
    double weight = 1.0;  ///< rough share of a run's time, for progress
    std::vector<StageField> fields;
    bool only_measures = false;  ///< leaves the model as it is
};

/// The stages of the library itself are there already. A stage of the same name is replaced.
void register_stage(Stage stage);

/// Valid until the program ends. @throws Error RunRecipe that lists the known ones
const Stage& find_stage(std::string_view name);

/// Every name that find_stage() accepts.
std::vector<std::string> stage_names();

}  // namespace espalier
