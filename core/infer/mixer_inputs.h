#pragma once

#include <cstdint>

#include "infer/activations.h"
#include "infer/rope_table.h"

namespace espalier {

/// What the part of a layer that mixes tokens is given for a batch.
struct MixerInputs {
    const Activations& x;       ///< [tokens, hidden], normalised
    const RopeTable& rope;      ///< prepared for these tokens
    std::int64_t position = 0;  ///< of the first token; the layer's cache holds those before
    std::int64_t sliding_window = 0;
};

}  // namespace espalier
