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

/// Multi-head latent attention (arXiv:2405.04434). The cache holds one compressed row a token, from
/// which every head's key and value could be made.
///
/// Two ways give the same result but for rounding. A few tokens are *absorbed*: the query takes the
/// key matrix into itself and meets the compressed rows directly, and so does the value matrix
/// after the sum; no key is ever made. Many tokens *expand* the rows into keys and values, head by
/// head: three times fewer multiplications a query, once the making is shared by many.
class LatentAttention {
public:
    explicit LatentAttention(const MoeConfig& config) : config_(config.attention) {}

    /// The cache gets the batch's rows. out: [tokens, hidden], after the output projection.
    void forward(const Compute& compute, const LatentWeights& weights, LatentCache& cache,
                 const MixerInputs& inputs, std::span<float> out);

private:
    struct Call;
    struct HeadBlock;
    /// True if making keys and values costs less than it saves.
    bool expands(std::size_t num_tokens, std::size_t num_keys) const noexcept;
    void make_queries(const Compute& compute, const Call& call);
    void make_rows(const Compute& compute, const Call& call);
    void show_latents(const Call& call, std::span<const float> rows);
    void attend_absorbed(const Compute& compute, const Call& call);
    void absorb_heads(const Call& call, const HeadBlock& block);
    void attend_expanded(const Compute& compute, const Call& call);
    void expand_head(const Compute& compute, const Call& call, std::size_t head);

    std::size_t num_heads() const noexcept;
    std::size_t query_dim() const noexcept;

    const AttentionConfig& config_;
    Scratch<float> q_down_;  ///< [tokens, query_rank]
    Scratch<float> q_;       ///< [tokens, heads, nope + rope]
    Scratch<float> rows_;    ///< [tokens, rank + rope]: what the cache gets
    Scratch<float> sums_;    ///< absorbed: [tokens, heads, rank]
    Scratch<float> past_;    ///< expanded: [keys, rank]
    Scratch<float> mixed_;   ///< [tokens, heads, value]
    Activations q_rows_;
    Activations latent_rows_;
    Activations mixed_rows_;
};

}  // namespace espalier
