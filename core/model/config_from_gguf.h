#pragma once

#include "formats/gguf_set.h"
#include "model/moe_config.h"

namespace espalier {

/// Reads the keys of a GGUF file; some facts, such as tied embeddings and biases, stand in its
/// tensors.
/// @throws Error ArchUnknown for an architecture or key that is not known, FileMalformed or
/// ArchConfig for a key that is missing or contradicts another
MoeConfig config_from_gguf(const GgufSet& files);

}  // namespace espalier
