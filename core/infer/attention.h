#pragma once

#include <cstdint>
#include <span>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/kv_cache.h"
#include "infer/rope_table.h"
#include "infer/scratch.h"
#include "infer/weights.h"
#include "model/moe_config.h"

namespace espalier {

/// Grouped-query attention of one layer over the tokens of a batch and all that came before them.
/// Keeps scratch memory; one object serves all layers.
class Attention {
public:
    explicit Attention(const MoeConfig& config)
        : config_(config.attention), eps_(config.rms_norm_eps) {}

    struct Inputs {
        const AttentionWeights& weights;
        const Activations& x;       ///< [tokens, hidden], normalised
        const RopeTable& rope;      ///< prepared for these tokens
        LayerCache& cache;          ///< gets the batch's keys and values
        std::int64_t position = 0;  ///< of the first token
        std::int64_t sliding_window = 0;
    };

    /// out: [tokens, hidden], after the output projection.
    void forward(const Compute& compute, const Inputs& inputs, std::span<float> out);

private:
    struct QueryBlock;
    void project(const Compute& compute, const Inputs& inputs);
    void norm_and_rotate(const Compute& compute, const Inputs& inputs);
    void attend(const Compute& compute, const Inputs& inputs);
    void attend_block(const Inputs& inputs, const QueryBlock& block);

    const AttentionConfig& config_;
    double eps_;
    Scratch<float> q_;      ///< [tokens, heads, head_dim]
    Scratch<float> k_;      ///< [tokens, kv_heads, head_dim]
    Scratch<float> v_;      ///< [tokens, kv_heads, head_dim]
    Scratch<float> mixed_;  ///< [tokens, heads, head_dim]
    Activations mixed_rows_;
};

}  // namespace espalier
