#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "model/moe_config.h"

namespace espalier {

/// Small configs that use, between them, every setting of moe_config.h, alone or as families do.
inline std::vector<std::pair<std::string, MoeConfig>> sample_configs() {
    MoeConfig plain{.family = "plain",
                    .hidden_size = 24,
                    .vocab_size = 40,
                    .context_length = 1024,
                    .intermediate_size = 28,
                    .moe_intermediate_size = 20,
                    .rms_norm_eps = 1e-5};
    plain.attention = {.num_heads = 4, .num_kv_heads = 2, .head_dim = 8, .scale = 0.35};
    plain.attention.rope = {.theta = 1000.0, .rotated_dims = 8};
    plain.router = {.num_experts = 8, .top_k = 3};
    plain.layers.assign(2, LayerConfig{});

    std::vector<std::pair<std::string, MoeConfig>> configs;
    const auto add = [&](const std::string& name, auto&& change) {
        MoeConfig config = plain;
        change(config);
        configs.emplace_back(name, std::move(config));
    };
    add("plain", [](MoeConfig&) {});
    add("biases, dense layer, tied", [](MoeConfig& c) {
        c.attention.has_qkv_bias = c.attention.has_output_bias = true;
        c.layers[0].feed_forward = FeedForwardKind::Dense;
        c.ties_embeddings = true;
    });
    add("sliding window", [](MoeConfig& c) {
        c.layers[0] = {.mixer = MixerKind::SlidingAttention, .sliding_window = 70};
        c.layers[1] = {.mixer = MixerKind::SlidingAttention, .sliding_window = 3};
    });
    add("whole norm, clipped", [](MoeConfig& c) {
        c.attention.qk_norm = QkNorm::Whole;
        c.attention.clip_qkv = 0.8;
        c.router.normalises_top_k = false;
    });
    add("gated attention, part of a head rotated", [](MoeConfig& c) {
        c.attention.has_output_gate = true;
        c.attention.qk_norm = QkNorm::PerHead;
        c.attention.rope.rotated_dims = 4;
        c.attention.rope.style = RopeStyle::Pairs;
    });
    add("sinks, clamped experts with biases, yarn", [](MoeConfig& c) {
        c.attention.has_sinks = true;
        c.layers[0] = {.mixer = MixerKind::SlidingAttention, .sliding_window = 16};
        c.attention.rope.scaling = {
            .kind = RopeScalingKind::Yarn, .factor = 4.0, .original_context = 32};
        c.attention.rope.attention_factor = 1.14;
        c.router.has_bias = true;
        c.experts = {.activation = ExpertActivation::ClampedSilu,
                     .alpha = 1.5,
                     .limit = 0.9,
                     .has_bias = true};
    });
    add("multipliers", [](MoeConfig& c) {
        c.embedding_multiplier = 3.0;
        c.residual_multiplier = 0.4;
        c.logits_divisor = 2.5;
    });
    add("groups by their best", [](MoeConfig& c) {
        c.router.num_groups = 4;
        c.router.top_groups = 2;
        c.router.normalises_top_k = false;
        c.router.scale = 2.5;
        c.shared_expert.width = 12;
    });
    add("groups by their best two, selection bias", [](MoeConfig& c) {
        c.router = {.num_experts = 8,
                    .top_k = 3,
                    .scoring = RouterScoring::Sigmoid,
                    .normalising_epsilon = 1e-20,
                    .scale = 1.8,
                    .has_selection_bias = true,
                    .num_groups = 2,
                    .top_groups = 1,
                    .group_score = GroupScore::SumOfBestTwo};
        c.shared_expert = {.width = 12, .has_gate = true};
    });
    const auto set_latent = [](MoeConfig& c) {
        c.attention.num_kv_heads = 4;
        c.attention.head_dim = 18;
        c.attention.latent = {
            .query_rank = 14, .rank = 13, .nope_dim = 12, .rope_dim = 6, .value_dim = 10};
        c.attention.rope.rotated_dims = 6;
        for (LayerConfig& layer : c.layers) layer.mixer = MixerKind::LatentAttention;
    };
    add("latent attention, pairs", [&](MoeConfig& c) {
        set_latent(c);
        c.attention.rope.style = RopeStyle::Pairs;
        c.attention.has_qkv_bias = c.attention.has_output_bias = true;
    });
    add("latent attention, direct queries, halves, yarn", [&](MoeConfig& c) {
        set_latent(c);
        c.attention.latent.query_rank = 0;
        c.attention.rope.scaling = {
            .kind = RopeScalingKind::Yarn, .factor = 8.0, .original_context = 64};
        c.attention.rope.attention_factor = 1.2;
    });
    const auto set_delta = [](MoeConfig& c) {
        c.delta_net = {
            .num_key_heads = 2, .num_value_heads = 4, .key_dim = 6, .value_dim = 37, .kernel = 4};
        c.layers[0].mixer = MixerKind::DeltaNet;
    };
    add("delta net and gated attention", [&](MoeConfig& c) {
        set_delta(c);
        c.attention.has_output_gate = true;
        c.attention.qk_norm = QkNorm::PerHead;
        c.shared_expert = {.width = 12, .has_gate = true};
    });
    add("short convolutions", [&](MoeConfig& c) {
        c.short_convolution = {.kernel = 3, .has_bias = true};
        c.layers.assign(3, LayerConfig{.mixer = MixerKind::ShortConvolution});
        c.layers[1].mixer = MixerKind::FullAttention;
        c.layers[0].feed_forward = FeedForwardKind::Dense;
        c.router.scoring = RouterScoring::Sigmoid;
        c.router.normalising_epsilon = 1e-6;
        c.router.has_selection_bias = true;
    });
    return configs;
}

}  // namespace espalier
