#include "model/check_config.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>

#include "base/error.h"

namespace espalier {
namespace {

class Checker {
public:
    explicit Checker(std::string_view source) : source_(source) {}

    void within(std::string_view key, std::int64_t value, std::int64_t low,
                std::int64_t high) const {
        if (value >= low && value <= high) return;
        refuse(fmt::format("{} is {}, it must be from {} to {}", key, value, low, high));
    }

    void require(bool holds, std::string_view sentence) const {
        if (!holds) refuse(sentence);
    }

private:
    [[noreturn]] void refuse(std::string_view sentence) const {
        throw Error(ErrorCode::ArchConfig, fmt::format("{}: {}.", source_, sentence),
                    "Compare the file with the model's original.");
    }

    std::string_view source_;
};

constexpr std::int64_t kMaxHeads = 1 << 12;
constexpr std::int64_t kMaxHeadDim = 1 << 12;
constexpr std::int64_t kMaxWidth = 1 << 20;
constexpr std::int64_t kMaxTaps = 1 << 10;

bool is_positive(double value) { return std::isfinite(value) && value > 0.0; }

void check_rope(const RopeConfig& rope, std::int64_t head_dim, const Checker& check) {
    check.require(
        rope.rotated_dims >= 2 && rope.rotated_dims % 2 == 0 && rope.rotated_dims <= head_dim,
        fmt::format("{} of {} dimensions of a head cannot be rotated", rope.rotated_dims,
                    head_dim));
    check.require(std::isfinite(rope.theta) && rope.theta > 1.0,
                  fmt::format("rope_theta is {}, it must be above 1", rope.theta));
    const RopeScaling& scaling = rope.scaling;
    check.require(is_positive(rope.attention_factor),
                  fmt::format("the attention_factor of RoPE is {}", rope.attention_factor));
    if (scaling.kind == RopeScalingKind::None) return;
    check.require(is_positive(scaling.factor),
                  fmt::format("the factor of RoPE scaling is {}", scaling.factor));
    if (scaling.kind == RopeScalingKind::Linear) return;
    check.within("original_max_position_embeddings", scaling.original_context, 1,
                 std::int64_t{1} << 31);
    check.require(is_positive(scaling.beta_slow) && scaling.beta_fast >= scaling.beta_slow,
                  fmt::format("beta_fast {} and beta_slow {} of RoPE scaling are in no order",
                              scaling.beta_fast, scaling.beta_slow));
    check.require(
        is_positive(scaling.low_freq_factor) && scaling.high_freq_factor > scaling.low_freq_factor,
        fmt::format("low_freq_factor {} and high_freq_factor {} are in no order",
                    scaling.low_freq_factor, scaling.high_freq_factor));
}

void check_attention(const AttentionConfig& attention, const Checker& check) {
    check.within("num_attention_heads", attention.num_heads, 1, kMaxHeads);
    check.within("num_key_value_heads", attention.num_kv_heads, 1, attention.num_heads);
    check.within("head_dim", attention.head_dim, 1, kMaxHeadDim);
    check.require(attention.num_heads % attention.num_kv_heads == 0,
                  fmt::format("num_attention_heads {} is not a multiple of num_key_value_heads {}",
                              attention.num_heads, attention.num_kv_heads));
    check_rope(attention.rope, attention.head_dim, check);
    check.require(is_positive(attention.scale),
                  fmt::format("the scale of the attention is {}", attention.scale));
    check.require(std::isfinite(attention.clip_qkv) && attention.clip_qkv >= 0.0,
                  fmt::format("clip_qkv is {}", attention.clip_qkv));
}

void check_latent(const LatentConfig& latent, const Checker& check) {
    check.within("q_lora_rank", latent.query_rank, 0, kMaxWidth);
    check.within("kv_lora_rank", latent.rank, 1, kMaxWidth);
    check.within("qk_nope_head_dim", latent.nope_dim, 1, kMaxHeadDim);
    check.within("qk_rope_head_dim", latent.rope_dim, 2, kMaxHeadDim);
    check.within("v_head_dim", latent.value_dim, 1, kMaxHeadDim);
}

void check_delta_net(const DeltaNetConfig& delta, const Checker& check) {
    check.within("linear_num_key_heads", delta.num_key_heads, 1, kMaxHeads);
    check.within("linear_num_value_heads", delta.num_value_heads, 1, kMaxHeads);
    check.within("linear_key_head_dim", delta.key_dim, 1, kMaxHeadDim);
    check.within("linear_value_head_dim", delta.value_dim, 1, kMaxHeadDim);
    check.within("linear_conv_kernel_dim", delta.kernel, 1, kMaxTaps);
    check.require(
        delta.num_value_heads % delta.num_key_heads == 0,
        fmt::format("linear_num_value_heads {} is not a multiple of linear_num_key_heads {}",
                    delta.num_value_heads, delta.num_key_heads));
}

void check_router(const RouterConfig& router, const Checker& check) {
    constexpr std::int64_t kMaxExperts = 1 << 14;
    check.within("num_experts", router.num_experts, 1, kMaxExperts);
    check.within("num_experts_per_tok", router.top_k, 1, router.num_experts);
    check.require(is_positive(router.scale),
                  fmt::format("routed_scaling_factor is {}", router.scale));
    check.within("n_group", router.num_groups, 1, router.num_experts);
    check.within("topk_group", router.top_groups, 1, router.num_groups);
    if (router.num_groups == 1) return;
    check.require(router.num_experts % router.num_groups == 0,
                  fmt::format("{} experts do not make {} equal groups", router.num_experts,
                              router.num_groups));
    const std::int64_t in_group = router.num_experts / router.num_groups;
    check.require(router.group_score != GroupScore::SumOfBestTwo || in_group >= 2,
                  "groups of one expert have no two best");
    check.within("num_experts_per_tok", router.top_k, 1, router.top_groups * in_group);
}

/// What native models say layer by layer.
void check_native_layers(const MoeConfig& config, const Checker& check) {
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        const LayerConfig& layer = config.layers[static_cast<std::size_t>(i)];
        if (layer.num_experts == 0 && layer.constants.empty()) continue;
        check.require(layer.feed_forward == FeedForwardKind::Moe,
                      fmt::format("layer {} has a number of experts, but no router", i));
        check_router(config.router_of(i), check);
        const auto& constants = layer.constants;
        const bool ascends = std::adjacent_find(constants.begin(), constants.end(),
                                                std::greater_equal<>()) == constants.end();
        check.require(constants.empty() || (ascends && constants.front() >= 0 &&
                                            constants.back() < config.num_experts_of(i)),
                      fmt::format("the constants of layer {} are no list of its experts", i));
    }
}

void check_mixer(const MoeConfig& config, const LayerConfig& layer, const Checker& check) {
    switch (layer.mixer) {
        case MixerKind::FullAttention:
            break;
        case MixerKind::SlidingAttention:
            check.within("sliding_window", layer.sliding_window, 1, std::int64_t{1} << 31);
            break;
        case MixerKind::LatentAttention:
            check_latent(config.attention.latent, check);
            break;
        case MixerKind::DeltaNet:
            check_delta_net(config.delta_net, check);
            break;
        case MixerKind::ShortConvolution:
            check.within("conv_L_cache", config.short_convolution.kernel, 1, kMaxTaps);
            break;
    }
}

void check_layers(const MoeConfig& config, const Checker& check) {
    bool any_moe = false;
    bool any_dense = false;
    for (const auto& layer : config.layers) {
        (layer.feed_forward == FeedForwardKind::Moe ? any_moe : any_dense) = true;
        check_mixer(config, layer, check);
    }
    check.require(any_moe, "no layer has experts, so there is nothing to compress");
    check.within("moe_intermediate_size", config.moe_intermediate_size, 1, kMaxWidth);
    check.within("the width of the shared expert", config.shared_expert.width, 0, kMaxWidth);
    if (any_dense) check.within("intermediate_size", config.intermediate_size, 1, kMaxWidth);
}

}  // namespace

void check_config(const MoeConfig& config, std::string_view source) {
    constexpr std::int64_t kMaxHidden = 1 << 20;
    constexpr std::int64_t kMaxVocab = 1 << 24;
    constexpr std::int64_t kMaxContext = std::int64_t{1} << 31;
    constexpr std::int64_t kMaxLayers = 1 << 10;
    constexpr std::int64_t kMaxExpertsInAll = 1 << 18;
    const Checker check(source);
    check.within("hidden_size", config.hidden_size, 1, kMaxHidden);
    check.within("vocab_size", config.vocab_size, 1, kMaxVocab);
    check.within("max_position_embeddings", config.context_length, 1, kMaxContext);
    check.within("num_hidden_layers", config.num_layers(), 1, kMaxLayers);
    check_router(config.router, check);
    check_native_layers(config, check);
    check.within("the number of experts in all layers",
                 config.router.num_experts * config.num_layers(), 1, kMaxExpertsInAll);
    check.require(std::isfinite(config.rms_norm_eps) && config.rms_norm_eps >= 0.0 &&
                      config.rms_norm_eps < 1.0,
                  fmt::format("rms_norm_eps is {}, it must be from 0 to 1", config.rms_norm_eps));
    check.within("the number of prediction blocks", config.num_extra_layers, 0, kMaxLayers);
    for (const double factor :
         {config.embedding_multiplier, config.residual_multiplier, config.logits_divisor}) {
        check.require(is_positive(factor), fmt::format("a multiplier is {}", factor));
    }
    check.require(is_positive(config.experts.limit),
                  fmt::format("swiglu_limit is {}", config.experts.limit));
    check_attention(config.attention, check);
    check_layers(config, check);
    for (const std::int64_t id : config.eos_token_ids) {
        check.within("eos_token_id", id, 0, kMaxVocab);
    }
}

}  // namespace espalier
