#pragma once

#include <string_view>

#include "model/moe_config.h"

namespace espalier {

/// Sizes that no model has, and counts that contradict each other, are refused before anything is
/// multiplied or reserved by them.
/// @param source named in the error
/// @throws Error ArchConfig that names the key as config.json spells it
void check_config(const MoeConfig& config, std::string_view source);

}  // namespace espalier
