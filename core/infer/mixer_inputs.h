#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "infer/activations.h"
#include "infer/rope_table.h"
#include "model/forward_observer.h"

namespace espalier {

/// What the part of a layer that mixes tokens is given for a batch.
struct MixerInputs {
    const Activations& x;       ///< [tokens, hidden], normalised
    const RopeTable& rope;      ///< prepared for these tokens
    std::int64_t position = 0;  ///< of the first token; the layer's cache holds those before
    std::int64_t sliding_window = 0;
    ForwardObserver* observer = nullptr;  ///< one that watches parts, or nobody

    /// Shows what the matrices of `roles` are multiplied with.
    void show(std::initializer_list<TensorRole> roles, std::span<const float> rows) const {
        if (observer != nullptr) {
            observer->on_input({roles.begin(), roles.size()}, rows, x.num_rows());
        }
    }
};

}  // namespace espalier
