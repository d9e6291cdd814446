#pragma once

#include <cstdint>

#include "model/model_source.h"

namespace espalier {

/// Where a layer's experts are while the layer runs: in memory as float32, or decoded from the
/// mapped model each time a batch needs one, which costs time and saves the largest part of a
/// layer.
enum class ExpertStorage { Held, DecodedOnUse };

/// Bytes that one layer takes in memory.
std::uint64_t layer_bytes(const ModelSource& source, std::int64_t layer, ExpertStorage storage);

}  // namespace espalier
