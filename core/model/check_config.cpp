#include "model/check_config.h"

#include <cmath>
#include <fmt/format.h>

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

void check_attention(const AttentionConfig& attention, const Checker& check) {
    constexpr std::int64_t kMaxHeads = 1 << 12;
    constexpr std::int64_t kMaxHeadDim = 1 << 12;
    check.within("num_attention_heads", attention.num_heads, 1, kMaxHeads);
    check.within("num_key_value_heads", attention.num_kv_heads, 1, attention.num_heads);
    check.within("head_dim", attention.head_dim, 1, kMaxHeadDim);
    check.require(attention.num_heads % attention.num_kv_heads == 0,
                  fmt::format("num_attention_heads {} is not a multiple of num_key_value_heads {}",
                              attention.num_heads, attention.num_kv_heads));
    check.require(attention.rope.rotated_dims >= 2 && attention.rope.rotated_dims % 2 == 0 &&
                      attention.rope.rotated_dims <= attention.head_dim,
                  fmt::format("{} of {} dimensions of a head cannot be rotated",
                              attention.rope.rotated_dims, attention.head_dim));
    check.require(std::isfinite(attention.rope.theta) && attention.rope.theta > 1.0,
                  fmt::format("rope_theta is {}, it must be above 1", attention.rope.theta));
    check.require(std::isfinite(attention.scale) && attention.scale > 0.0,
                  fmt::format("the scale of the attention is {}", attention.scale));
}

void check_layers(const MoeConfig& config, const Checker& check) {
    constexpr std::int64_t kMaxWidth = 1 << 20;
    bool any_moe = false;
    bool any_dense = false;
    for (const auto& layer : config.layers) {
        (layer.feed_forward == FeedForwardKind::Moe ? any_moe : any_dense) = true;
        if (layer.mixer == MixerKind::SlidingAttention) {
            check.within("sliding_window", layer.sliding_window, 1, std::int64_t{1} << 31);
        }
    }
    check.require(any_moe, "no layer has experts, so there is nothing to compress");
    check.within("moe_intermediate_size", config.moe_intermediate_size, 1, kMaxWidth);
    if (any_dense) check.within("intermediate_size", config.intermediate_size, 1, kMaxWidth);
}

}  // namespace

void check_config(const MoeConfig& config, std::string_view source) {
    constexpr std::int64_t kMaxHidden = 1 << 20;
    constexpr std::int64_t kMaxVocab = 1 << 24;
    constexpr std::int64_t kMaxContext = std::int64_t{1} << 31;
    constexpr std::int64_t kMaxLayers = 1 << 10;
    constexpr std::int64_t kMaxExperts = 1 << 14;
    constexpr std::int64_t kMaxExpertsInAll = 1 << 18;
    const Checker check(source);
    check.within("hidden_size", config.hidden_size, 1, kMaxHidden);
    check.within("vocab_size", config.vocab_size, 1, kMaxVocab);
    check.within("max_position_embeddings", config.context_length, 1, kMaxContext);
    check.within("num_hidden_layers", config.num_layers(), 1, kMaxLayers);
    check.within("num_experts", config.router.num_experts, 1, kMaxExperts);
    check.within("num_experts_per_tok", config.router.top_k, 1, config.router.num_experts);
    check.within("the number of experts in all layers",
                 config.router.num_experts * config.num_layers(), 1, kMaxExpertsInAll);
    check.require(std::isfinite(config.rms_norm_eps) && config.rms_norm_eps >= 0.0 &&
                      config.rms_norm_eps < 1.0,
                  fmt::format("rms_norm_eps is {}, it must be from 0 to 1", config.rms_norm_eps));
    check_attention(config.attention, check);
    check_layers(config, check);
    for (const std::int64_t id : config.eos_token_ids) {
        check.within("eos_token_id", id, 0, kMaxVocab);
    }
}

}  // namespace espalier
