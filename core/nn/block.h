#pragma once

#include <stop_token>
#include <torch/types.h>
#include <vector>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"
#include "nn/rotary.h"
#include "nn/sequences.h"

namespace espalier {

/// What one layer needs beside its input; everything must outlive the call.
struct BlockContext {
    const MoeConfig& config;
    std::int64_t layer = 0;
    const LayerWeights& weights;
    const Rotary& rotary;
    const Sequences& sequences;
    const std::vector<bool>& removed;  ///< experts that count as gone; empty = none
    LayerTap* tap = nullptr;
    std::stop_token stop;
};

/// hidden + mixer(norm(hidden)), then + feed_forward(norm(.)).
/// @param hidden [tokens, hidden], the residual stream
torch::Tensor run_block(const BlockContext& context, const torch::Tensor& hidden);

}  // namespace espalier
