#pragma once

#include <cstdint>

#include "base/json.h"
#include "formats/gguf_value.h"

namespace espalier {

/// config.json of a model with `kept` experts a layer instead of `num_experts`: every spelling of
/// the count that is there changes, at the top and in `text_config`; blocks that predict further
/// tokens are gone.
/// @throws Error ArchConfig if no key holds the count
Json cut_config(const Json& config, std::int64_t num_experts, std::int64_t kept);

/// config.json with experts of `kept` channels instead of `width`.
/// @throws Error ArchConfig if no key holds the width
Json cut_width(const Json& config, std::int64_t width, std::int64_t kept);
/// The same for `<architecture>.expert_feed_forward_length`, or `feed_forward_length` without it.
GgufMetadata cut_width(const GgufMetadata& metadata, std::int64_t width, std::int64_t kept);

/// cut_config() for the keys `<architecture>.expert_count` and those that count prediction blocks.
GgufMetadata cut_metadata(const GgufMetadata& metadata, std::int64_t kept);

}  // namespace espalier
