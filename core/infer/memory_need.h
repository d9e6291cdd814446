#pragma once

#include <cstdint>

#include "model/moe_config.h"

namespace espalier {

/// What one sequence needs in memory beside the weights. Exact for the cache, rough for the rest.
struct MemoryNeed {
    std::uint64_t cache_per_token = 0;  ///< keys and values, or compressed rows; float32
    std::uint64_t cache_fixed = 0;      ///< states of recurrent layers
    std::uint64_t buffers = 0;          ///< activations of a batch of the prompt, logits
    bool operator==(const MemoryNeed&) const = default;
};

MemoryNeed memory_need(const MoeConfig& config);

}  // namespace espalier
