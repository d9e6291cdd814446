#pragma once

#include <string_view>

#include "model/moe_config.h"

namespace espalier {

/// Throws unless llama.cpp's architecture computes what the config says: what it has no key for is
/// wired into it.
/// @throws Error GgufInexpressible saying what cannot be said and what to do
void require_expressible(std::string_view architecture, const MoeConfig& config);

/// What `rope.scaling.yarn_log_multiplier` times ten must be for the config's scores; 0 if they are
/// not stretched. Only for latent attention.
double yarn_stretch(const AttentionConfig& attention);

}  // namespace espalier
