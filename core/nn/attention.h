#pragma once

#include <stop_token>
#include <torch/types.h>

#include "model/moe_config.h"
#include "nn/layer_tap.h"
#include "nn/layer_weights.h"
#include "nn/rotary.h"
#include "nn/sequences.h"

namespace espalier {

/// What a token mixer needs beside its input; everything must outlive the call.
struct MixerContext {
    const MoeConfig& config;
    const LayerConfig& layer;
    const AttentionWeights& weights;
    const Rotary& rotary;
    const Sequences& sequences;
    LayerTap* tap = nullptr;
    std::stop_token stop;
};

/// Causal attention with grouped queries, softmax in float32; a sliding layer sees the last
/// `sliding_window` keys, the query's own included. Queries are taken in blocks, so that scores
/// need heads * 256 * length floats, never heads * length^2.
/// @param rows [tokens, hidden], after the layer's norm
/// @return [tokens, hidden], after the output projection, before it is added
torch::Tensor attention(const MixerContext& context, const torch::Tensor& rows);

}  // namespace espalier
