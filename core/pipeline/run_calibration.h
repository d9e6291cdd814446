#pragma once

#include <filesystem>
#include <stop_token>

#include "calib/calibrate.h"
#include "calib/own_text.h"

namespace espalier {

struct CalibrationRun {
    CalibrateRequest request;
    double stable_share = 0;  ///< see calibrate_until_stable(); 0: reads all
    OwnTextOptions own_text;  ///< its threads and progress are those of the rest
};

/// Lets the model write if asked to, then calibrates, with an early end if asked to. A call that
/// was cut off goes on where it was.
/// @throws as write_own_text(), calibrate_until_stable() and calibrate()
CalibrateResult run_calibration(const CalibrationRun& run, const CalibrateSinks& sinks,
                                const std::stop_token& stop);

/// Beside the statistics: the user's data, in the model's words.
std::filesystem::path own_text_file(const std::filesystem::path& stats);

}  // namespace espalier
