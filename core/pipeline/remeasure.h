#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "calib/calibrate_request.h"
#include "data/dataset.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a calibration is repeated with.
struct RemeasureRequest {
    const ExpertStats& stats;      ///< of the calibration; its settings are taken over
    std::vector<DataSource> data;  ///< that it read
    std::string probe_file;        ///< that it kept out, if it was a file
    std::size_t num_threads = 0;
    std::uint64_t memory_budget = 0;
};

/// The request that repeats it, on its data without what the model wrote itself; the model and
/// where to write are still to be named.
CalibrateRequest calibration_as_before(const RemeasureRequest& from);

/// Measures a model again while a plan's experts alone are used; see ProgressiveInput::remeasure.
/// A measurement that was cut short goes on from what lies beside its file.
std::function<ExpertStats(const std::filesystem::path& model, const ExpertPlan& plan,
                          const std::filesystem::path& file)>
remeasure_as_before(RemeasureRequest request, std::stop_token stop);

}  // namespace espalier
