#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/layer_cache.h"
#include "infer/mixer_inputs.h"
#include "infer/scratch.h"
#include "infer/weights.h"
#include "model/moe_config.h"

namespace espalier {

/// Gated DeltaNet (arXiv:2412.06464): a short convolution, then the gated delta rule over a state
/// [key_dim, value_dim] per value head.
///
/// Prompts take the same recurrence as single tokens, with the work spread over heads and blocks of
/// the state's columns, which stay in the cache for the whole batch. The chunked form of the rule
/// would need nearly twice the multiplications, and this way the bits do not depend on how a
/// sequence is cut.
class DeltaNet {
public:
    explicit DeltaNet(const MoeConfig& config);

    /// `state` holds the convolution's last rows, then the states, a block of columns after
    /// another. out: [tokens, hidden], after the output projection.
    void forward(const Compute& compute, const DeltaNetWeights& weights, RecurrentState& state,
                 const MixerInputs& inputs, std::span<float> out);

private:
    struct Block;
    void project(const Compute& compute, const DeltaNetWeights& weights, const Activations& x);
    void mix_neighbours(const Compute& compute, const DeltaNetWeights& weights,
                        std::span<float> history);
    void normalise_heads(std::span<float> row);
    void prepare_factors(const DeltaNetWeights& weights);
    void run_rule(const Compute& compute, std::span<float> states);
    void run_block(const Block& block, std::span<float> states);
    void gate(const Compute& compute, std::span<const float> norm);

    const DeltaNetConfig& config_;
    float eps_;
    std::size_t key_heads_;
    std::size_t value_heads_;
    std::size_t key_dim_;
    std::size_t value_dim_;
    std::size_t channels_;
    std::size_t num_tokens_ = 0;     ///< of the batch at work
    std::vector<float> query_norm_;  ///< [key_dim], constant
    std::vector<float> key_norm_;
    Scratch<float> raw_;        ///< [tokens, channels], before the convolution
    Scratch<float> qkv_;        ///< [tokens, channels]
    Scratch<float> z_;          ///< [tokens, value heads, value_dim]
    Scratch<float> beta_;       ///< [tokens, value heads]
    Scratch<float> decay_;      ///< [tokens, value heads]
    Scratch<float> strengths_;  ///< [value heads, tokens]
    Scratch<float> decays_;     ///< [value heads, tokens]
    Scratch<float> mixed_;      ///< [tokens, value heads, value_dim]
    Activations mixed_rows_;
};

}  // namespace espalier
