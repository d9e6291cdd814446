#pragma once

#include <string>

#include "base/json.h"
#include "model/moe_config.h"

namespace espalier {

/// Reads a config.json in the spelling of transformers 4 or 5.
/// @param generation generation_config.json, or null: may name more end tokens
/// @param source named in errors
/// @throws Error ArchUnknown for a model_type, flag or field that is not known, ArchConfig for a
/// field that is missing or contradicts another
MoeConfig config_from_hub(const Json& config, const Json& generation, const std::string& source);

}  // namespace espalier
