#pragma once

#include <stop_token>

#include "pipeline/calibrate_request.h"
#include "pipeline/events.h"

namespace espalier {

/// Measures the experts of a model: runs the calibration data through it, layer by layer over all
/// tokens, and writes the statistics. Memory is bounded by the largest layer and one micro-batch a
/// thread; hidden states lie in the checkpoint folder. A call that was cut off goes on after its
/// last finished layer. The result depends neither on the number of threads nor on where it was cut
/// off.
/// @throws Error, Cancelled
CalibrateResult calibrate(const CalibrateRequest& request, RunObserver& observer,
                          const std::stop_token& stop);

/// Checks what can be checked without reading anything. @throws Error UsageInvalid
void validate(const CalibrateRequest& request);

}  // namespace espalier
