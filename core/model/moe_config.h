#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace espalier {

/// How a layer mixes tokens.
enum class MixerKind { FullAttention, SlidingAttention };
enum class FeedForwardKind { Dense, Moe };

/// What a router's logits become before the top-k is taken.
enum class RouterScoring { Softmax, Sigmoid };

struct RopeConfig {
    double theta = 10000.0;
    std::int64_t rotated_dims = 0;  ///< of each head, from its start; half style
    bool operator==(const RopeConfig&) const = default;
};

struct AttentionConfig {
    std::int64_t num_heads = 0;
    std::int64_t num_kv_heads = 0;
    std::int64_t head_dim = 0;
    double scale = 0.0;  ///< multiplies q.k; usually 1/sqrt(head_dim)
    bool has_qkv_bias = false;
    bool has_output_bias = false;
    bool has_qk_norm = false;  ///< RMSNorm over head_dim on q and k, before RoPE
    RopeConfig rope;
    bool operator==(const AttentionConfig&) const = default;
};

struct RouterConfig {
    std::int64_t num_experts = 0;
    std::int64_t top_k = 0;
    RouterScoring scoring = RouterScoring::Softmax;
    bool normalises_top_k = true;  ///< selected probabilities are divided by their sum
    bool operator==(const RouterConfig&) const = default;
};

struct LayerConfig {
    MixerKind mixer = MixerKind::FullAttention;
    std::int64_t sliding_window = 0;  ///< keys seen, the query's own included; 0 = all
    FeedForwardKind feed_forward = FeedForwardKind::Moe;
    bool operator==(const LayerConfig&) const = default;
};

/// Everything that both executions of a model need to know, whatever family it is of. One function
/// per family turns config.json or GGUF keys into it.
struct MoeConfig {
    std::string family;  ///< hub model_type: "qwen3_moe", "mixtral"
    std::int64_t hidden_size = 0;
    std::int64_t vocab_size = 0;
    std::int64_t context_length = 0;
    std::int64_t intermediate_size = 0;      ///< width of dense layers; 0 if there are none
    std::int64_t moe_intermediate_size = 0;  ///< width of an expert
    double rms_norm_eps = 1e-6;
    bool ties_embeddings = false;
    AttentionConfig attention;
    RouterConfig router;
    std::vector<LayerConfig> layers;
    std::vector<std::int64_t> eos_token_ids;
    std::string stored_dtype;  ///< as config.json names it, "bfloat16"

    std::int64_t num_layers() const noexcept { return static_cast<std::int64_t>(layers.size()); }
    std::vector<std::int64_t> moe_layers() const;  ///< absolute indices of the layers with a router
    bool operator==(const MoeConfig&) const = default;
};

}  // namespace espalier
