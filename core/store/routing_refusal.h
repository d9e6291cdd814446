#pragma once

#include "base/json.h"

namespace espalier {

/// In a stage's record: its routing failed its limits, and somebody has accepted that.
inline constexpr const char* kRoutingAccepted = "routing_accepted";

/// Whether a stage's record says that its routing failed, and nobody has accepted that.
bool is_routing_refused(const Json& record);

}  // namespace espalier
