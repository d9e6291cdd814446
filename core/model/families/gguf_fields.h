#pragma once

#include "model/gguf_key_reader.h"
#include "model/moe_config.h"

namespace espalier {

/// Sizes, norms, vocabulary and expert counts: what all architectures say in the same keys.
/// Prediction blocks count as extra layers.
MoeConfig read_gguf_sizes(GgufKeyReader& reader);

/// Heads, head size, RoPE and biases of ordinary attention.
AttentionConfig read_gguf_attention(GgufKeyReader& reader, const MoeConfig& config);

/// RoPE over `rope.dimension_count` or else `head_dim` dimensions.
/// @param stretch the `rope.scaling.yarn_log_multiplier` of architectures that have it, times ten:
/// with it sines and cosines are not stretched, but the scores are; 0 without
RopeConfig read_gguf_rope(GgufKeyReader& reader, std::int64_t context_length, std::int64_t head_dim,
                          double stretch = 0.0);

/// Switches of an architecture that scores by softmax over all experts and has no groups.
/// @param normalises whether it divides the chosen scores by their sum
void require_softmax_router(GgufKeyReader& reader, bool normalises);

/// Sigmoid routers of DeepSeek-V3, GLM and LFM2 with their keys.
void read_gguf_sigmoid_router(GgufKeyReader& reader, RouterConfig& router);

/// The first `leading_dense_block_count` layers.
void read_gguf_dense_layers(GgufKeyReader& reader, MoeConfig& config);

/// Experts, shared experts of the same width side by side, and leading dense layers, as DeepSeek
/// and GLM have them.
void read_gguf_deepseek_widths(GgufKeyReader& reader, MoeConfig& config);

}  // namespace espalier
