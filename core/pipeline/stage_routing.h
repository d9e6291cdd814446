#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "base/thread_pool.h"
#include "data/dataset.h"
#include "model/expert_mask.h"
#include "model/model_source.h"
#include "pipeline/stage.h"

namespace espalier {

/// How a stage that leaves a model compares its routing with the original's.
struct StageRoutingOptions {
    std::int64_t tokens = 4096;  ///< of the probe; 0 = not compared
    std::string limits_file;     ///< JSON, see validate_routing_limits(); empty = the project's own
    double progress_begin = 0;   ///< of the stage's progress, what is done before
};

/// The file's limits, or none for an empty name.
/// @throws Error RunRecipe, FileMissing, DataLine
Json load_routing_limits(const std::string& file);

/// Compares `model` with the run's original on a quick probe: texts of an evaluate stage of the
/// recipe, else what calibration kept out of the recipe's data. Puts the report into
/// `output.routing` and its main figures into `output.metrics`. Where there is no text that nothing
/// was calibrated on, the report says so, without a verdict.
void measure_routing(const StageContext& context, const std::filesystem::path& model,
                     const StageRoutingOptions& options, StageOutput& output);

/// A model that runs as if some of its experts were gone, and what to measure it on.
struct MaskedModel {
    const ModelSource& original;
    const ModelSource& model;
    const ExpertMask& mask;
    const TokenWindows& probe;
    std::int64_t tokens = 0;  ///< of the probe, as many of each task
    ThreadPool& pool;
    std::uint64_t memory_budget = 0;
};

/// evaluate() of such a model against the original.
Json evaluate_masked(const MaskedModel& masked, std::stop_token stop = {});

/// The figures of a routing report that stand for it: its means that judge a cut, and the verdict.
Json routing_figures(const Json& routing);

/// What an evaluation says of routing, as above.
void adopt_routing(Json routing, StageOutput& output);

/// The report of a stage that leaves the model as it is.
Json unchanged_routing();

/// A report without each expert's load: what lies in report.json and the library.
Json brief_routing(Json routing);

}  // namespace espalier
