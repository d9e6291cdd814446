#pragma once

#include "base/json.h"
#include "model/moe_config.h"

namespace espalier {

/// Every field, for hashes and for people; the same config gives the same text.
Json to_json(const MoeConfig& config);

}  // namespace espalier
