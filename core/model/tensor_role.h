#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espalier {

/// What a tensor is for, whatever its family calls it.
enum class TensorRole : std::uint8_t {
    TokenEmbedding,  ///< [vocab, hidden]
    OutputNorm,      ///< [hidden]
    Output,          ///< lm_head, [vocab, hidden]; absent when tied
    AttentionNorm,   ///< [hidden]
    AttentionQ,
    AttentionK,
    AttentionV,
    AttentionOutput,  ///< [out, in]
    AttentionQBias,
    AttentionKBias,
    AttentionVBias,
    AttentionOutputBias,
    AttentionQNorm,
    AttentionKNorm,   ///< [head_dim]
    FeedForwardNorm,  ///< [hidden]
    DenseGate,
    DenseUp,
    DenseDown,
    Router,  ///< [experts, hidden]
    ExpertGate,
    ExpertUp,    ///< one expert: [width, hidden]
    ExpertDown,  ///< one expert: [hidden, width]
};

/// Names one tensor of a model, or one expert's slice of it.
struct TensorKey {
    TensorRole role = TensorRole::TokenEmbedding;
    std::int32_t layer = -1;   ///< -1 outside the layers
    std::int32_t expert = -1;  ///< -1 if not an expert's
    auto operator<=>(const TensorKey&) const = default;
};

bool is_expert_role(TensorRole role) noexcept;

}  // namespace espalier
