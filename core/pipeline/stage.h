#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/json.h"
#include "pipeline/events.h"
#include "pipeline/recipe.h"

namespace espalier {

/// Where a run stands when a stage begins: what the stages before it left.
struct RunState {
    std::filesystem::path original;   ///< the recipe's model
    std::filesystem::path model;      ///< newest model artifact
    std::filesystem::path stats;      ///< newest statistics, empty if none
    std::filesystem::path plan;       ///< newest expert plan, empty if none
};

struct StageContext {
    const Recipe& recipe;
    const StageEntry& entry;
    std::size_t index = 0;
    RunState state;                        ///< in
    std::filesystem::path folder;          ///< `NN-name.partial/`: write here, find checkpoints here
    std::size_t num_threads = 0;           ///< 0 = physical cores
    std::uint64_t memory_budget = 0;       ///< bytes, 0 = no limit given
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

/// A stage: a name, a check of its config, and a plain function of its context. It never knows who is
/// watching. Work is checkpointed inside context.folder, so that the same call goes on where a killed one
/// ended.
struct Stage {
    std::string name;
    std::function<void(const Json& config)> validate;  ///< @throws Error RunRecipe
    std::function<StageOutput(const StageContext&)> run;
    double weight = 1.0;  ///< rough share of a run's time, for progress
};

/// Called by initialisers of the library and of the torch module.
void register_stage(Stage stage);
/// Opens the torch module if the stage lives there. @throws Error RunRecipe that lists the known ones
const Stage& find_stage(std::string_view name);

}  // namespace espalier
