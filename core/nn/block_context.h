#pragma once

#include <cstdint>
#include <initializer_list>
#include <stop_token>
#include <torch/types.h>
#include <vector>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"
#include "nn/rotary.h"
#include "nn/sequences.h"

namespace espalier {

/// What one layer, or a part of it, needs beside its input; everything must outlive the call.
struct BlockContext {
    const MoeConfig& config;
    std::int64_t layer = 0;
    const LayerTensors& weights;
    const Rotary& rotary;
    const Sequences& sequences;
    const std::vector<bool>& removed;  ///< experts that count as gone; empty = none
    double routed_scale = 1.0;         ///< of what the experts give together
    LayerTap* tap = nullptr;
    std::stop_token stop;

    const LayerConfig& layer_config() const {
        return config.layers.at(static_cast<std::size_t>(layer));
    }

    /// Shows the tap what the matrices of `roles` are multiplied with.
    void show_input(std::initializer_list<TensorRole> roles, const torch::Tensor& rows) const {
        if (tap != nullptr) tap->on_input({roles.begin(), roles.size()}, rows.contiguous());
    }
};

}  // namespace espalier
