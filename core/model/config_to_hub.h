#pragma once

#include "base/json.h"
#include "model/moe_config.h"

namespace espalier {

/// A config.json that reads back as the same config, with the field names of the family as
/// transformers 5 writes them. @param dtype of the weights, "bfloat16"
/// @throws Error ArchUnknown for a family that has no such writer
Json hub_config(const MoeConfig& config, const std::string& dtype);

}  // namespace espalier
