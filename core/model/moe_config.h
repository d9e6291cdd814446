#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace espalier {

/// How a layer mixes tokens.
enum class MixerKind {
    FullAttention,
    SlidingAttention,
    LatentAttention,   ///< DeepSeek's MLA: keys and values from one compressed row a token
    DeltaNet,          ///< gated delta rule over a state per head (arXiv 2412.06464)
    ShortConvolution,  ///< LFM2: gated depthwise convolution over a few tokens
};
enum class FeedForwardKind { Dense, Moe };

/// What a router's logits become before the top-k is taken.
enum class RouterScoring { Softmax, Sigmoid };
/// How good a group of experts is, where only the best groups are considered.
enum class GroupScore { Max, SumOfBestTwo };

/// RMSNorm on queries and keys, before RoPE.
enum class QkNorm {
    None,
    PerHead,  ///< over head_dim
    Whole,    ///< over all heads together
};

/// Which elements of a head turn together.
enum class RopeStyle {
    Half,   ///< i with i + rotated_dims / 2
    Pairs,  ///< 2i with 2i + 1
};

enum class RopeScalingKind { None, Linear, Yarn, Llama3 };

/// Stretches RoPE beyond the length a model was trained on; the frequencies do not depend on the
/// length of the text at hand.
struct RopeScaling {
    RopeScalingKind kind = RopeScalingKind::None;
    double factor = 1.0;
    std::int64_t original_context = 0;  ///< Yarn, Llama3
    double beta_fast = 32.0;            ///< Yarn
    double beta_slow = 1.0;             ///< Yarn
    bool truncate = true;               ///< Yarn: the ramp's ends are whole numbers
    double low_freq_factor = 1.0;       ///< Llama3
    double high_freq_factor = 4.0;      ///< Llama3
    bool operator==(const RopeScaling&) const = default;
};

struct RopeConfig {
    double theta = 10000.0;
    std::int64_t rotated_dims = 0;  ///< of each head, from its start; the last ones in MLA
    RopeStyle style = RopeStyle::Half;
    RopeScaling scaling = {};
    double attention_factor = 1.0;  ///< multiplies cosines and sines
    bool operator==(const RopeConfig&) const = default;
};

/// Sizes of MLA. A query head is [nope_dim | rope_dim], a key head too, a value head value_dim.
struct LatentConfig {
    std::int64_t query_rank = 0;  ///< 0: queries are projected directly
    std::int64_t rank = 0;        ///< of the row that keys and values come from
    std::int64_t nope_dim = 0;
    std::int64_t rope_dim = 0;
    std::int64_t value_dim = 0;
    bool operator==(const LatentConfig&) const = default;
};

/// Full, sliding and latent attention. In a model with MLA `latent` gives the sizes and head_dim is
/// nope_dim + rope_dim; num_kv_heads is num_heads.
struct AttentionConfig {
    std::int64_t num_heads = 0;
    std::int64_t num_kv_heads = 0;
    std::int64_t head_dim = 0;
    double scale = 0.0;         ///< multiplies q.k; usually 1/sqrt(head_dim)
    bool has_qkv_bias = false;  ///< MLA: on the two compressing projections
    bool has_output_bias = false;
    bool has_output_gate = false;  ///< each query head's rows are followed by as many rows of a
                                   ///< gate whose sigmoid multiplies the head's output
    bool has_sinks = false;        ///< one more logit a head joins the softmax and is dropped
    double clip_qkv = 0.0;  ///< q, k (after their norms) and v are held within; 0: they are not
    QkNorm qk_norm = QkNorm::None;
    RopeConfig rope = {};
    LatentConfig latent = {};
    bool operator==(const AttentionConfig&) const = default;
};

/// Value head v uses key head v / (num_value_heads / num_key_heads).
struct DeltaNetConfig {
    std::int64_t num_key_heads = 0;
    std::int64_t num_value_heads = 0;
    std::int64_t key_dim = 0;
    std::int64_t value_dim = 0;
    std::int64_t kernel = 0;  ///< taps of the causal convolution

    /// q | k | v side by side: what the convolution runs over.
    std::int64_t channels() const noexcept {
        return 2 * num_key_heads * key_dim + num_value_heads * value_dim;
    }
    bool operator==(const DeltaNetConfig&) const = default;
};

struct ShortConvolutionConfig {
    std::int64_t kernel = 0;
    bool has_bias = false;
    bool operator==(const ShortConvolutionConfig&) const = default;
};

/// logits (+ bias) -> scores; chosen by scores (+ selection bias) among the best groups; weights
/// are the chosen scores, over their sum if normalised, times `scale`.
struct RouterConfig {
    std::int64_t num_experts = 0;
    std::int64_t top_k = 0;
    RouterScoring scoring = RouterScoring::Softmax;
    bool normalises_top_k = true;      ///< selected scores are divided by their sum
    double normalising_epsilon = 0.0;  ///< added to that sum
    double scale = 1.0;
    bool has_bias = false;            ///< on the logits
    bool has_selection_bias = false;  ///< on the scores, for the choice alone
    std::int64_t num_groups = 1;      ///< contiguous, of equal size
    std::int64_t top_groups = 1;      ///< how many are considered
    GroupScore group_score = GroupScore::Max;
    bool operator==(const RouterConfig&) const = default;
};

/// Whether gates are softmax probabilities among all experts, which grow when others go.
inline bool has_probability_gates(const RouterConfig& router) {
    return router.scoring == RouterScoring::Softmax && !router.normalises_top_k;
}

enum class ExpertActivation {
    Silu,         ///< silu(gate) * up
    ClampedSilu,  ///< gpt-oss: min(gate, limit) * sigmoid(alpha * .) * (clamp(up, -limit, limit) +
                  ///< 1)
};

struct ExpertConfig {
    ExpertActivation activation = ExpertActivation::Silu;
    double alpha = 1.702;  ///< ClampedSilu
    double limit = 7.0;    ///< ClampedSilu
    bool has_bias = false;
    bool operator==(const ExpertConfig&) const = default;
};

/// An MLP that every token goes through beside its experts; width 0: there is none.
struct SharedExpertConfig {
    std::int64_t width = 0;
    bool has_gate = false;  ///< sigmoid of one logit a token multiplies its output
    bool operator==(const SharedExpertConfig&) const = default;
};

struct LayerConfig {
    MixerKind mixer = MixerKind::FullAttention;
    std::int64_t sliding_window = 0;  ///< keys seen, the query's own included; 0 = all
    FeedForwardKind feed_forward = FeedForwardKind::Moe;
    // Of native models alone, whose layers may differ:
    std::int64_t num_experts = 0;              ///< its own number; 0: the router's
    std::vector<std::int32_t> constants = {};  ///< ascending: experts that give one vector each
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
    double embedding_multiplier = 1.0;
    double residual_multiplier = 1.0;  ///< of what mixer and feed-forward add
    double logits_divisor = 1.0;
    bool ties_embeddings = false;
    AttentionConfig attention = {};
    DeltaNetConfig delta_net = {};
    ShortConvolutionConfig short_convolution = {};
    RouterConfig router = {};
    ExpertConfig experts = {};
    SharedExpertConfig shared_expert = {};
    std::vector<LayerConfig> layers = {};
    std::int64_t num_extra_layers = 0;  ///< multi-token-prediction blocks after the last layer
    std::vector<std::int64_t> eos_token_ids = {};
    std::string stored_dtype = {};  ///< as config.json names it, "bfloat16"

    std::int64_t num_layers() const noexcept { return static_cast<std::int64_t>(layers.size()); }
    std::vector<std::int64_t> moe_layers() const;  ///< absolute indices of the layers with a router

    /// True if a layer has a number of experts of its own, or constants among them: what neither
    /// config.json of the family nor GGUF can say. `router` has the largest layer's number then.
    bool is_native() const noexcept;
    /// The router of one layer. @pre it has one
    RouterConfig router_of(std::int64_t layer) const;
    std::int64_t num_experts_of(std::int64_t layer) const { return router_of(layer).num_experts; }
    bool is_constant(std::int64_t layer, std::int64_t expert) const;
    /// Experts of a layer that have weights, and the place of one among them: where it lies in a
    /// stack of them.
    std::int64_t num_weighted_of(std::int64_t layer) const;
    std::int64_t place_among_weighted(std::int64_t layer, std::int64_t expert) const;
    bool operator==(const MoeConfig&) const = default;
};

}  // namespace espalier
