#pragma once

#include <string_view>

#include "formats/gguf_value.h"
#include "model/moe_config.h"

namespace espalier {

/// llama.cpp's name for a family ("qwen3moe", "llama" for Mixtral), after checking that it computes
/// what the config says: what it has no key for is wired into the architecture.
/// @throws Error GgufInexpressible saying what cannot be said and what to do
std::string_view gguf_architecture(const MoeConfig& config);

/// True if llama.cpp's loader wants an output matrix even of a model that ties it to the embedding.
/// @throws Error GgufInexpressible for a family without a GGUF form
bool needs_output_tensor(const MoeConfig& config);

/// Adds the `<architecture>.*` keys.
/// @param feed_forward_length width of a dense layer where the architecture asks for one; 0 if
/// unknown
void add_architecture_keys(GgufMetadata& metadata, const MoeConfig& config,
                           std::int64_t feed_forward_length);

}  // namespace espalier
