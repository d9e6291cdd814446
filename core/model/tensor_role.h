#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espalier {

/// What a tensor is for, whatever its family calls it. Matrices are [out, in]. Heads lie one after
/// the other; norms that a file keeps as w of (1 + w) are asked for and given as 1 + w.
enum class TensorRole : std::uint8_t {
    TokenEmbedding,  ///< [vocab, hidden]
    OutputNorm,      ///< [hidden]
    Output,          ///< lm_head, [vocab, hidden]; absent when tied
    AttentionNorm,   ///< [hidden]; before whatever mixes tokens
    AttentionQ,      ///< with an output gate: per head its query rows, then its gate rows
    AttentionK,
    AttentionV,
    AttentionOutput,
    AttentionQBias,
    AttentionKBias,
    AttentionVBias,
    AttentionOutputBias,
    AttentionQNorm,  ///< [head_dim], or all heads' rows
    AttentionKNorm,
    AttentionSinks,  ///< [heads]

    LatentQ,          ///< MLA without a query rank: [heads * (nope + rope), hidden]
    LatentQDown,      ///< [query_rank, hidden]
    LatentQDownBias,  ///< [query_rank]
    LatentQNorm,      ///< [query_rank]
    LatentQUp,        ///< [heads * (nope + rope), query_rank]
    LatentKvDown,     ///< [rank + rope, hidden]: the latent row, then the shared rotated key
    LatentKvDownBias,
    LatentKvNorm,   ///< [rank]
    LatentKeyUp,    ///< [heads * nope, rank]
    LatentValueUp,  ///< [heads * value, rank]

    DeltaQkv,          ///< [channels, hidden]: q | k | v, each head after head
    DeltaZ,            ///< [value heads * value_dim, hidden]
    DeltaBeta,         ///< [value heads, hidden]
    DeltaDecay,        ///< [value heads, hidden]; the projection called a
    DeltaConvolution,  ///< [channels, kernel]
    DeltaLogA,         ///< [value heads]
    DeltaDecayBias,    ///< [value heads]; dt_bias
    DeltaNorm,         ///< [value_dim]
    DeltaOutput,       ///< [hidden, value heads * value_dim]

    ConvolutionIn,       ///< [3 * hidden, hidden]: B | C | x
    ConvolutionInBias,   ///< [3 * hidden]
    ConvolutionKernel,   ///< [hidden, kernel]
    ConvolutionBias,     ///< [hidden]
    ConvolutionOut,      ///< [hidden, hidden]
    ConvolutionOutBias,  ///< [hidden]

    FeedForwardNorm,  ///< [hidden]
    DenseGate,
    DenseUp,
    DenseDown,
    Router,               ///< [experts, hidden]
    RouterBias,           ///< [experts]
    RouterSelectionBias,  ///< [experts]
    ExpertGate,           ///< one expert: [width, hidden]
    ExpertUp,             ///< one expert: [width, hidden]
    ExpertDown,           ///< one expert: [hidden, width]
    ExpertGateBias,       ///< one expert: [width]
    ExpertUpBias,         ///< one expert: [width]
    ExpertDownBias,       ///< one expert: [hidden]
    ExpertConstant,       ///< one expert without weights: [hidden], its output for every token
    SharedGate,
    SharedUp,
    SharedDown,
    SharedScore,  ///< [1, hidden]: the logit whose sigmoid multiplies the shared expert
};

/// Names one tensor of a model, or one expert's slice of it.
struct TensorKey {
    TensorRole role = TensorRole::TokenEmbedding;
    std::int32_t layer = -1;   ///< -1 outside the layers
    std::int32_t expert = -1;  ///< -1 if not an expert's
    auto operator<=>(const TensorKey&) const = default;
};

/// Matrices and biases of single experts.
bool is_expert_role(TensorRole role) noexcept;
/// What the router has one row or element of for each expert.
bool is_router_role(TensorRole role) noexcept;

}  // namespace espalier
