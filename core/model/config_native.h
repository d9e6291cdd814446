#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/moe_config.h"

namespace espalier {

/// What config.json of a native folder calls itself: a model of a known family whose layers differ
/// in their number of experts, or have constants in place of some. No other program knows the name,
/// so that none mistakes the folder for the family's own.
inline constexpr std::string_view kNativeModelType = "espalier_moe";

/// What one layer of a native model has; dense layers have nothing.
struct NativeLayer {
    std::int64_t num_experts = 0;  ///< constants included
    std::vector<std::int32_t> constants = {};
};

/// config.json of a native folder, with the family's own inside, as it is.
Json native_config(const Json& original, const std::vector<NativeLayer>& layers);

/// @throws Error as config_from_hub()
MoeConfig config_from_native(const Json& config, const Json& generation, const std::string& source);

}  // namespace espalier
