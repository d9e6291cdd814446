#include "model/moe_config_json.h"

#include <string_view>
#include <utility>

namespace espalier {
namespace {

std::string_view mixer_text(MixerKind mixer) {
    switch (mixer) {
        case MixerKind::FullAttention:
            return "full";
        case MixerKind::SlidingAttention:
            return "sliding";
        case MixerKind::LatentAttention:
            return "latent";
        case MixerKind::DeltaNet:
            return "delta_net";
        case MixerKind::ShortConvolution:
            return "short_convolution";
    }
    return "";
}

std::string_view scaling_text(RopeScalingKind kind) {
    switch (kind) {
        case RopeScalingKind::None:
            return "none";
        case RopeScalingKind::Linear:
            return "linear";
        case RopeScalingKind::Yarn:
            return "yarn";
        case RopeScalingKind::Llama3:
            return "llama3";
    }
    return "";
}

/// Features that most models lack stand in the result only where they are.
Json rope_extras(const RopeConfig& rope) {
    const RopeScaling& scaling = rope.scaling;
    Json json = Json::object();
    if (rope.style == RopeStyle::Pairs) json["style"] = "pairs";
    if (rope.attention_factor != 1.0) json["attention_factor"] = rope.attention_factor;
    if (scaling == RopeScaling{}) return json;
    json["scaling"] = {{"kind", scaling_text(scaling.kind)},
                       {"factor", scaling.factor},
                       {"original_context", scaling.original_context},
                       {"beta_fast", scaling.beta_fast},
                       {"beta_slow", scaling.beta_slow},
                       {"truncate", scaling.truncate},
                       {"low_freq_factor", scaling.low_freq_factor},
                       {"high_freq_factor", scaling.high_freq_factor}};
    return json;
}

Json attention_json(const AttentionConfig& attention) {
    Json json = {{"num_heads", attention.num_heads},
                 {"num_kv_heads", attention.num_kv_heads},
                 {"head_dim", attention.head_dim},
                 {"scale", attention.scale},
                 {"has_qkv_bias", attention.has_qkv_bias},
                 {"has_output_bias", attention.has_output_bias},
                 {"qk_norm", attention.qk_norm == QkNorm::PerHead ? "per_head"
                             : attention.qk_norm == QkNorm::Whole ? "whole"
                                                                  : "none"},
                 {"rope_theta", attention.rope.theta},
                 {"rotated_dims", attention.rope.rotated_dims}};
    if (attention.has_output_gate) json["has_output_gate"] = true;
    if (attention.has_sinks) json["has_sinks"] = true;
    if (attention.clip_qkv != 0.0) json["clip_qkv"] = attention.clip_qkv;
    if (Json rope = rope_extras(attention.rope); !rope.empty()) json["rope"] = std::move(rope);
    const LatentConfig& latent = attention.latent;
    if (latent == LatentConfig{}) return json;
    json["latent"] = {{"query_rank", latent.query_rank},
                      {"rank", latent.rank},
                      {"nope_dim", latent.nope_dim},
                      {"rope_dim", latent.rope_dim},
                      {"value_dim", latent.value_dim}};
    return json;
}

Json router_extras(const RouterConfig& router) {
    Json json = Json::object();
    if (router.normalising_epsilon != 0.0) json["normalising_epsilon"] = router.normalising_epsilon;
    if (router.scale != 1.0) json["scale"] = router.scale;
    if (router.has_bias) json["has_bias"] = true;
    if (router.has_selection_bias) json["has_selection_bias"] = true;
    if (router.num_groups == 1) return json;
    json["num_groups"] = router.num_groups;
    json["top_groups"] = router.top_groups;
    json["group_score"] = router.group_score == GroupScore::Max ? "max" : "sum_of_best_two";
    return json;
}

Json layer_json(const LayerConfig& layer) {
    Json json = {{"mixer", mixer_text(layer.mixer)},
                 {"sliding_window", layer.sliding_window},
                 {"feed_forward", layer.feed_forward == FeedForwardKind::Moe ? "moe" : "dense"}};
    if (layer.num_experts != 0) json["num_experts"] = layer.num_experts;
    if (!layer.constants.empty()) json["constants"] = layer.constants;
    return json;
}

void add_mixers(Json& json, const MoeConfig& config) {
    const DeltaNetConfig& delta = config.delta_net;
    if (delta != DeltaNetConfig{}) {
        json["delta_net"] = {{"num_key_heads", delta.num_key_heads},
                             {"num_value_heads", delta.num_value_heads},
                             {"key_dim", delta.key_dim},
                             {"value_dim", delta.value_dim},
                             {"kernel", delta.kernel}};
    }
    const ShortConvolutionConfig& convolution = config.short_convolution;
    if (convolution != ShortConvolutionConfig{}) {
        json["short_convolution"] = {{"kernel", convolution.kernel},
                                     {"has_bias", convolution.has_bias}};
    }
}

void add_experts(Json& json, const MoeConfig& config) {
    if (Json router = router_extras(config.router); !router.empty()) json["router"] = router;
    if (config.experts != ExpertConfig{}) {
        const bool is_silu = config.experts.activation == ExpertActivation::Silu;
        json["experts"] = {{"activation", is_silu ? "silu" : "clamped_silu"},
                           {"alpha", config.experts.alpha},
                           {"limit", config.experts.limit},
                           {"has_bias", config.experts.has_bias}};
    }
    if (config.shared_expert != SharedExpertConfig{}) {
        json["shared_expert"] = {{"width", config.shared_expert.width},
                                 {"has_gate", config.shared_expert.has_gate}};
    }
}

}  // namespace

Json to_json(const MoeConfig& config) {
    Json layers = Json::array();
    for (const auto& layer : config.layers) layers.push_back(layer_json(layer));
    Json json = {
        {"family", config.family},
        {"hidden_size", config.hidden_size},
        {"vocab_size", config.vocab_size},
        {"context_length", config.context_length},
        {"intermediate_size", config.intermediate_size},
        {"moe_intermediate_size", config.moe_intermediate_size},
        {"rms_norm_eps", config.rms_norm_eps},
        {"ties_embeddings", config.ties_embeddings},
        {"attention", attention_json(config.attention)},
        {"num_experts", config.router.num_experts},
        {"num_experts_per_tok", config.router.top_k},
        {"router_scoring", config.router.scoring == RouterScoring::Softmax ? "softmax" : "sigmoid"},
        {"normalises_top_k", config.router.normalises_top_k},
        {"layers", std::move(layers)},
        {"eos_token_ids", config.eos_token_ids},
        {"stored_dtype", config.stored_dtype}};
    if (config.embedding_multiplier != 1.0)
        json["embedding_multiplier"] = config.embedding_multiplier;
    if (config.residual_multiplier != 1.0) json["residual_multiplier"] = config.residual_multiplier;
    if (config.logits_divisor != 1.0) json["logits_divisor"] = config.logits_divisor;
    if (config.num_extra_layers != 0) json["num_extra_layers"] = config.num_extra_layers;
    add_mixers(json, config);
    add_experts(json, config);
    return json;
}

}  // namespace espalier
