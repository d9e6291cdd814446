#pragma once

#include <stop_token>

#include "calib/calibrate.h"

namespace espalier {

/// Kept sets that overlap so far (Jaccard), in every layer, count as the same.
inline constexpr double kStableOverlap = 0.97;

/// calibrate() on an eighth of the windows, then on as many more as there were, until the experts
/// that REAP would keep at `share` stay the same from one doubling to the next, or all are read.
/// What each doubling adds is measured by itself, layer by layer, so a model larger than memory is
/// read once a doubling. A call that was cut off goes on where it was, in `<out>.doublings` unless
/// the request names a folder.
/// @param request without shard; its metrics say the share of the windows' tokens that was read
/// @throws Error UsageInvalid for a share that is none; as calibrate(); Cancelled
CalibrateResult calibrate_until_stable(const CalibrateRequest& request, double share,
                                       const CalibrateSinks& sinks, const std::stop_token& stop);

}  // namespace espalier
