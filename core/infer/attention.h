#pragma once

#include <cstdint>
#include <span>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/layer_cache.h"
#include "infer/mixer_inputs.h"
#include "infer/scratch.h"
#include "infer/weights.h"
#include "model/moe_config.h"

namespace espalier {

/// Grouped-query attention of one layer over the tokens of a batch and all that came before them.
/// Keeps scratch memory; one object serves all layers.
class Attention {
public:
    explicit Attention(const MoeConfig& config)
        : config_(config.attention), eps_(static_cast<float>(config.rms_norm_eps)) {}

    /// The cache gets the batch's keys and values. out: [tokens, hidden], after the output
    /// projection.
    void forward(const Compute& compute, const AttentionWeights& weights, KeyValueCache& cache,
                 const MixerInputs& inputs, std::span<float> out);

private:
    struct Heads;
    struct Call;
    struct QueryBlock;
    /// From one query head to the next: its gate, if there is one, lies between them.
    std::size_t query_stride() const noexcept;
    void project(const Compute& compute, const Call& call);
    void norm_and_rotate(const Compute& compute, const Call& call);
    void norm_and_rotate(const Heads& heads, std::span<float> row) const;
    void attend(const Compute& compute, const Call& call);
    void attend_block(const Call& call, const QueryBlock& block);
    /// The same with products of bfloat16 pairs.
    void round_to_pairs(const Compute& compute, const Call& call);
    void attend_pairs(const Call& call, const QueryBlock& block);
    void apply_gate(const Compute& compute, std::size_t num_tokens);

    const AttentionConfig& config_;
    float eps_;
    Scratch<float> q_;      ///< [tokens, heads, head_dim, or twice that with a gate]
    Scratch<float> k_;      ///< [tokens, kv_heads, head_dim]
    Scratch<float> v_;      ///< [tokens, kv_heads, head_dim]
    Scratch<float> mixed_;  ///< [tokens, heads, head_dim]
    Activations mixed_rows_;
    Scratch<std::uint16_t> q_pairs_;      ///< as q_
    Scratch<std::uint16_t> key_pairs_;    ///< [kv_heads, keys, head_dim]
    Scratch<std::uint16_t> value_pairs_;  ///< [kv_heads, head_dim, keys]
};

}  // namespace espalier
