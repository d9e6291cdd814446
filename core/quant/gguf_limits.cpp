#include "quant/gguf_limits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <string>

#include "base/error.h"

namespace espalier {
namespace {

constexpr std::string_view kHubInstead = "Export it as a hub folder, which can say it.";

/// What an architecture of llama.cpp can say about a model.
struct Limits {
    std::string_view architecture;
    bool softmax = false;
    bool sigmoid = false;
    bool normalised = false;    ///< the chosen scores may be divided by their sum
    bool unnormalised = false;  ///< and may not
    bool scaled = false;        ///< and multiplied by a factor
    bool grouped = false;
    bool dense_start = false;  ///< the first layers may be dense
    bool qkv_bias = false;
    bool output_bias = false;
    bool multipliers = false;  ///< of embeddings, residuals, logits and scores
};

constexpr std::array kLimits{
    Limits{.architecture = "llama", .softmax = true, .normalised = true},
    Limits{.architecture = "qwen2moe", .softmax = true, .unnormalised = true, .qkv_bias = true},
    Limits{.architecture = "qwen3moe",
           .softmax = true,
           .normalised = true,
           .qkv_bias = true,
           .output_bias = true},
    Limits{.architecture = "qwen3next", .softmax = true, .normalised = true},
    Limits{.architecture = "qwen35moe", .softmax = true, .normalised = true},
    Limits{.architecture = "olmoe", .softmax = true, .unnormalised = true},
    Limits{.architecture = "gpt-oss",
           .softmax = true,
           .normalised = true,
           .qkv_bias = true,
           .output_bias = true},
    Limits{.architecture = "deepseek2",
           .softmax = true,
           .sigmoid = true,
           .normalised = true,
           .unnormalised = true,
           .scaled = true,
           .grouped = true,
           .dense_start = true},
    Limits{.architecture = "glm4moe",
           .sigmoid = true,
           .normalised = true,
           .unnormalised = true,
           .scaled = true,
           .dense_start = true,
           .qkv_bias = true},
    Limits{.architecture = "granitemoe", .softmax = true, .normalised = true, .multipliers = true},
    Limits{.architecture = "lfm2moe", .sigmoid = true, .normalised = true, .dense_start = true},
};

class Judge {
public:
    Judge(const Limits& limits, const MoeConfig& config) : limits_(limits), config_(config) {}

    void judge() const {
        judge_router();
        judge_attention();
        judge_rope();
        judge_layers();
        judge_multipliers();
        if (limits_.architecture == "deepseek2") judge_deepseek();
        if (limits_.architecture == "gpt-oss") judge_gpt_oss();
        if (limits_.architecture == "lfm2moe") judge_lfm2();
    }

private:
    void require(bool holds, const std::string& what, std::string_view hint = kHubInstead) const {
        if (holds) return;
        throw Error(
            ErrorCode::GgufInexpressible,
            fmt::format("A GGUF file of the architecture {} cannot say that {}; llama.cpp would "
                        "compute something else.",
                        limits_.architecture, what),
            std::string(hint));
    }

    void judge_router() const {
        const RouterConfig& router = config_.router;
        const bool is_softmax = router.scoring == RouterScoring::Softmax;
        require(is_softmax ? limits_.softmax : limits_.sigmoid,
                fmt::format("the router scores by a {}", is_softmax ? "softmax" : "sigmoid"));
        require(router.normalises_top_k ? limits_.normalised : limits_.unnormalised,
                fmt::format("the chosen experts' probabilities are {}renormalised (norm_topk_prob "
                            "is {})",
                            router.normalises_top_k ? "" : "not ", router.normalises_top_k));
        require(router.scale == 1.0 || limits_.scaled,
                fmt::format("routed_scaling_factor is {}", router.scale));
        require(router.num_groups == 1 || limits_.grouped, "experts are chosen by groups");
        // There groups are scored by their two best experts, whatever the model does.
        require(router.num_groups == 1 || router.group_score == GroupScore::SumOfBestTwo,
                "groups of experts are judged by the best of each (group_limited_greedy)");
    }

    void judge_attention() const {
        const AttentionConfig& attention = config_.attention;
        require(!attention.has_qkv_bias || limits_.qkv_bias, "attention has biases");
        require(!attention.has_output_bias || limits_.output_bias,
                "the output of attention has a bias");
        require(attention.clip_qkv == 0.0,
                fmt::format("queries, keys and values are clipped to {} (clip_qkv)",
                            attention.clip_qkv));
        const bool whole_heads =
            limits_.architecture == "llama" || limits_.architecture == "granitemoe";
        require(!whole_heads || attention.rope.rotated_dims == attention.head_dim,
                "a part of each head is rotated");
        require(limits_.architecture != "granitemoe" ||
                    attention.head_dim * attention.num_heads == config_.hidden_size,
                "heads are of another size than hidden_size over their number");
        require(limits_.architecture != "olmoe" || attention.num_heads == attention.num_kv_heads,
                "query heads share key heads");
        if (attention.latent.rank > 0 || limits_.multipliers) return;  // judged elsewhere
        const double usual = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
        require(std::abs(attention.scale - usual) < 1e-5 * usual,
                fmt::format("scores are multiplied by {}", attention.scale));
    }

    void judge_rope() const {
        const RopeConfig& rope = config_.attention.rope;
        const RopeScaling& scaling = rope.scaling;
        require(scaling.kind != RopeScalingKind::Llama3, "RoPE is scaled in the way of Llama 3");
        const bool is_latent = config_.attention.latent.rank > 0;
        require(!is_latent || rope.style == RopeStyle::Pairs,
                "RoPE turns the halves of a head (rope_interleave is false)");
        const bool stretches_scores = is_latent && yarn_stretch(config_.attention) != 0.0;
        const bool stretches_rope =
            scaling.kind == RopeScalingKind::Yarn && scaling.factor > 1.0 && !stretches_scores;
        const double expected = stretches_rope ? 0.1 * std::log(scaling.factor) + 1.0 : 1.0;
        require(std::abs(rope.attention_factor - expected) < 1e-6,
                fmt::format("the attention_factor of RoPE is {}", rope.attention_factor));
    }

    void judge_layers() const {
        bool was_moe = false;
        for (std::int64_t i = 0; i < config_.num_layers(); ++i) {
            const LayerConfig& layer = config_.layers[static_cast<std::size_t>(i)];
            const bool is_moe = layer.feed_forward == FeedForwardKind::Moe;
            was_moe = was_moe || is_moe;
            require(is_moe || (limits_.dense_start && !was_moe),
                    fmt::format("layer {} is dense", i));
            require(layer.mixer != MixerKind::DeltaNet ||
                        config_.delta_net.key_dim == config_.delta_net.value_dim,
                    "keys and values of linear attention are of different sizes");
            const bool slides = layer.mixer == MixerKind::SlidingAttention &&
                                layer.sliding_window < config_.context_length &&
                                limits_.architecture != "gpt-oss";
            require(!slides,
                    fmt::format("layer {} sees the last {} tokens only", i, layer.sliding_window),
                    fmt::format("Export it as a hub folder, or set max_position_embeddings to {} "
                                "in config.json: up to that length nothing is lost.",
                                layer.sliding_window));
        }
    }

    void judge_multipliers() const {
        if (limits_.multipliers) return;
        require(config_.embedding_multiplier == 1.0 && config_.residual_multiplier == 1.0 &&
                    config_.logits_divisor == 1.0,
                "embeddings, residuals or logits are multiplied");
    }

    void judge_deepseek() const {
        // llama.cpp tells the models without a query rank by their number of layers.
        const bool has_lite_layers = config_.num_layers() == 26 || config_.num_layers() == 27;
        const bool is_lite = config_.attention.latent.query_rank == 0;
        require(is_lite == has_lite_layers,
                fmt::format("a model with {} layers {} q_lora_rank", config_.num_layers(),
                            is_lite ? "has no" : "has a"));
    }

    void judge_gpt_oss() const {
        constexpr double kAlpha = 1.702;
        constexpr double kLimit = 7.0;
        require(config_.experts.alpha == kAlpha && config_.experts.limit == kLimit,
                fmt::format("swiglu_limit is {}", config_.experts.limit));
        const std::int64_t window = config_.layers.front().sliding_window;
        for (std::size_t i = 0; i < config_.layers.size(); ++i) {
            const LayerConfig& layer = config_.layers[i];
            const bool is_sliding = layer.mixer == MixerKind::SlidingAttention;
            require(is_sliding == (i % 2 == 0) && (!is_sliding || layer.sliding_window == window),
                    fmt::format("layer {} is {}", i, is_sliding ? "sliding" : "full attention"));
        }
    }

    void judge_lfm2() const {
        require(!config_.short_convolution.has_bias, "convolutions have biases");
        require(config_.router.has_selection_bias, "the router has no expert_bias");
        require(config_.ties_embeddings, "the output matrix is not the embedding's");
    }

    const Limits& limits_;
    const MoeConfig& config_;
};

}  // namespace

double yarn_stretch(const AttentionConfig& attention) {
    const RopeScaling& scaling = attention.rope.scaling;
    if (scaling.kind != RopeScalingKind::Yarn || scaling.factor <= 1.0) return 0.0;
    const double stretched =
        std::sqrt(attention.scale * std::sqrt(static_cast<double>(attention.head_dim)));
    const double stretch = (stretched - 1.0) / (0.1 * std::log(scaling.factor));
    constexpr double kRounding = 1e-6;
    return std::abs(stretch) < kRounding ? 0.0 : stretch;
}

void require_expressible(std::string_view architecture, const MoeConfig& config) {
    const auto* const found = std::find_if(kLimits.begin(), kLimits.end(), [&](const Limits& row) {
        return row.architecture == architecture;
    });
    Judge(*found, config).judge();
}

}  // namespace espalier
