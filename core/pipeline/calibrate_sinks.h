#pragma once

#include <cstddef>
#include <string>

#include "calib/calibrate.h"
#include "pipeline/events.h"

namespace espalier {

/// Turns what a calibration reports into StageProgress of stage `stage_index` and LayerMeasured
/// with scores by `criterion`. Keeps `observer` by reference.
/// @throws Error UsageInvalid if there is no such criterion
CalibrateSinks report_calibration(RunObserver& observer, const std::string& criterion,
                                  std::size_t stage_index = 0);

}  // namespace espalier
