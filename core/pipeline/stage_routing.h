#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

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

/// What an evaluation says of routing, as above.
void adopt_routing(Json routing, StageOutput& output);

/// The report of a stage that leaves the model as it is.
Json unchanged_routing();

/// A report without each expert's load: what lies in report.json and the library.
Json brief_routing(Json routing);

}  // namespace espalier
