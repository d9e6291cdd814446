#include "model/moe_config_json.h"

namespace espalier {
namespace {

Json attention_json(const AttentionConfig& attention) {
    return {{"num_heads", attention.num_heads},
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
}

Json layer_json(const LayerConfig& layer) {
    return {{"mixer", layer.mixer == MixerKind::FullAttention ? "full" : "sliding"},
            {"sliding_window", layer.sliding_window},
            {"feed_forward", layer.feed_forward == FeedForwardKind::Moe ? "moe" : "dense"}};
}

}  // namespace

Json to_json(const MoeConfig& config) {
    Json layers = Json::array();
    for (const auto& layer : config.layers) layers.push_back(layer_json(layer));
    return {
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
}

}  // namespace espalier
