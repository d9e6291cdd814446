#include "model/config_to_hub.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace espalier {
namespace {

bool is_dense(const LayerConfig& layer) { return layer.feed_forward == FeedForwardKind::Dense; }

std::int64_t leading_dense_layers(const MoeConfig& config) {
    const auto& layers = config.layers;
    return std::find_if_not(layers.begin(), layers.end(), is_dense) - layers.begin();
}

/// Of a layer that is not dense, "intermediate_size" says nothing, but readers ask for it.
std::int64_t dense_width(const MoeConfig& config) {
    return std::max(config.intermediate_size, config.moe_intermediate_size);
}

Json rope_fields(const RopeConfig& rope) {
    const RopeScaling& scaling = rope.scaling;
    Json json{{"rope_theta", rope.theta}, {"rope_type", "default"}};
    if (scaling.kind == RopeScalingKind::None) return json;
    json["factor"] = scaling.factor;
    if (scaling.kind == RopeScalingKind::Linear) {
        json["rope_type"] = "linear";
        return json;
    }
    json["original_max_position_embeddings"] = scaling.original_context;
    if (scaling.kind == RopeScalingKind::Llama3) {
        json["rope_type"] = "llama3";
        json["low_freq_factor"] = scaling.low_freq_factor;
        json["high_freq_factor"] = scaling.high_freq_factor;
        return json;
    }
    json["rope_type"] = "yarn";
    json["beta_fast"] = scaling.beta_fast;
    json["beta_slow"] = scaling.beta_slow;
    json["truncate"] = scaling.truncate;
    json["attention_factor"] = rope.attention_factor;
    return json;
}

/// What all families say in the same words.
Json common_fields(const MoeConfig& config, const std::string& dtype) {
    const AttentionConfig& attention = config.attention;
    Json json = {{"model_type", config.family},
                 {"dtype", dtype},
                 {"hidden_act", "silu"},
                 {"hidden_size", config.hidden_size},
                 {"vocab_size", config.vocab_size},
                 {"max_position_embeddings", config.context_length},
                 {"num_hidden_layers", config.num_layers()},
                 {"num_attention_heads", attention.num_heads},
                 {"num_key_value_heads", attention.num_kv_heads},
                 {"head_dim", attention.head_dim},
                 {"num_experts_per_tok", config.router.top_k},
                 {"rms_norm_eps", config.rms_norm_eps},
                 {"rope_parameters", rope_fields(attention.rope)},
                 {"tie_word_embeddings", config.ties_embeddings}};
    if (config.eos_token_ids.size() == 1) json["eos_token_id"] = config.eos_token_ids.front();
    if (config.eos_token_ids.size() > 1) json["eos_token_id"] = config.eos_token_ids;
    return json;
}

Json mixer_types(const MoeConfig& config) {
    Json types = Json::array();
    for (const auto& layer : config.layers) {
        types.push_back(layer.mixer == MixerKind::DeltaNet           ? "linear_attention"
                        : layer.mixer == MixerKind::SlidingAttention ? "sliding_attention"
                        : layer.mixer == MixerKind::ShortConvolution ? "conv"
                                                                     : "full_attention");
    }
    return types;
}

std::int64_t sliding_window(const MoeConfig& config) {
    std::int64_t window = 0;
    for (const auto& layer : config.layers) window = std::max(window, layer.sliding_window);
    return window;
}

void add_partial_rotation(Json& json, const MoeConfig& config) {
    const AttentionConfig& attention = config.attention;
    json["rope_parameters"]["partial_rotary_factor"] =
        static_cast<double>(attention.rope.rotated_dims) / static_cast<double>(attention.head_dim);
}

void add_qwen_moe(Json& json, const MoeConfig& config) {
    Json dense = Json::array();
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        if (is_dense(config.layers[i])) dense.push_back(i);
    }
    json["decoder_sparse_step"] = 1;
    json["intermediate_size"] = dense_width(config);
    json["mlp_only_layers"] = dense;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
    json["norm_topk_prob"] = config.router.normalises_top_k;
    json["num_experts"] = config.router.num_experts;
}

void add_qwen2_moe(Json& json, const MoeConfig& config) {
    add_qwen_moe(json, config);
    const std::int64_t window = sliding_window(config);
    json["qkv_bias"] = config.attention.has_qkv_bias;
    json["shared_expert_intermediate_size"] = config.shared_expert.width;
    json["layer_types"] = mixer_types(config);
    json["use_sliding_window"] = window > 0;
    json["sliding_window"] = window;
}

void add_qwen3_moe(Json& json, const MoeConfig& config) {
    add_qwen_moe(json, config);
    const std::int64_t window = sliding_window(config);
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["use_sliding_window"] = window > 0;
    json["sliding_window"] = window > 0 ? Json(window) : Json();
    add_partial_rotation(json, config);
}

void add_qwen3_5_moe(Json& json, const MoeConfig& config) {
    const DeltaNetConfig& delta = config.delta_net;
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["num_experts"] = config.router.num_experts;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
    json["shared_expert_intermediate_size"] = config.shared_expert.width;
    json["linear_num_key_heads"] = delta.num_key_heads;
    json["linear_num_value_heads"] = delta.num_value_heads;
    json["linear_key_head_dim"] = delta.key_dim;
    json["linear_value_head_dim"] = delta.value_dim;
    json["linear_conv_kernel_dim"] = delta.kernel;
    json["layer_types"] = mixer_types(config);
    add_partial_rotation(json, config);
}

void add_qwen3_next(Json& json, const MoeConfig& config) {
    add_qwen3_5_moe(json, config);
    add_qwen_moe(json, config);
}

void add_mixtral(Json& json, const MoeConfig& config) {
    const std::int64_t window = sliding_window(config);
    json["intermediate_size"] = config.moe_intermediate_size;
    json["num_local_experts"] = config.router.num_experts;
    json["sliding_window"] = window > 0 ? Json(window) : Json();
}

void add_olmoe(Json& json, const MoeConfig& config) {
    const double clip = config.attention.clip_qkv;
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["clip_qkv"] = clip > 0.0 ? Json(clip) : Json();
    json["intermediate_size"] = config.moe_intermediate_size;
    json["norm_topk_prob"] = config.router.normalises_top_k;
    json["num_experts"] = config.router.num_experts;
}

void add_gpt_oss(Json& json, const MoeConfig& config) {
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["intermediate_size"] = config.moe_intermediate_size;
    json["num_local_experts"] = config.router.num_experts;
    json["swiglu_limit"] = config.experts.limit;
    json["layer_types"] = mixer_types(config);
    json["sliding_window"] = sliding_window(config);
}

/// DeepSeek's form of routing, without what only later models have.
void add_deepseek_moe(Json& json, const MoeConfig& config) {
    const RouterConfig& router = config.router;
    json["n_routed_experts"] = router.num_experts;
    json["n_shared_experts"] = config.shared_expert.width / config.moe_intermediate_size;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
    json["intermediate_size"] = dense_width(config);
    json["norm_topk_prob"] = router.normalises_top_k;
    json["routed_scaling_factor"] = router.scale;
    json["n_group"] = router.num_groups;
    json["topk_group"] = router.top_groups;
    json["first_k_dense_replace"] = leading_dense_layers(config);
}

/// The scale of the scores follows from a stretch of Yarn's, which the fields give.
void add_yarn_stretch(Json& json, const AttentionConfig& attention) {
    const RopeScaling& scaling = attention.rope.scaling;
    if (scaling.kind != RopeScalingKind::Yarn || scaling.factor <= 1.0) return;
    const double stretched =
        std::sqrt(attention.scale * std::sqrt(static_cast<double>(attention.head_dim)));
    const double stretch = (stretched - 1.0) / (0.1 * std::log(scaling.factor));
    constexpr double kRounding = 1e-6;
    if (std::abs(stretch) > kRounding) json["rope_parameters"]["mscale_all_dim"] = stretch;
}

void add_latent(Json& json, const MoeConfig& config) {
    const LatentConfig& latent = config.attention.latent;
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["q_lora_rank"] = latent.query_rank > 0 ? Json(latent.query_rank) : Json();
    json["kv_lora_rank"] = latent.rank;
    json["qk_nope_head_dim"] = latent.nope_dim;
    json["qk_rope_head_dim"] = latent.rope_dim;
    json["v_head_dim"] = latent.value_dim;
    json["head_dim"] = latent.rope_dim;  // what this family calls so
    add_yarn_stretch(json, config.attention);
}

void add_deepseek_v2(Json& json, const MoeConfig& config) {
    add_deepseek_moe(json, config);
    add_latent(json, config);
    json["topk_method"] = config.router.num_groups > 1 ? "group_limited_greedy" : "greedy";
}

void add_deepseek_v3(Json& json, const MoeConfig& config) {
    add_deepseek_moe(json, config);
    add_latent(json, config);
    json["rope_interleave"] = config.attention.rope.style == RopeStyle::Pairs;
    json["scoring_func"] = "sigmoid";
    json["topk_method"] = "noaux_tc";
}

void add_glm4_moe_lite(Json& json, const MoeConfig& config) {
    add_deepseek_moe(json, config);
    add_latent(json, config);
    json["rope_interleave"] = config.attention.rope.style == RopeStyle::Pairs;
    Json types = Json::array();
    for (const auto& layer : config.layers) types.push_back(is_dense(layer) ? "dense" : "sparse");
    json["mlp_layer_types"] = types;
}

void add_glm4_moe(Json& json, const MoeConfig& config) {
    add_deepseek_moe(json, config);
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["use_qk_norm"] = config.attention.qk_norm == QkNorm::PerHead;
    add_partial_rotation(json, config);
}

void add_granitemoe(Json& json, const MoeConfig& config) {
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["attention_multiplier"] = config.attention.scale;
    json["embedding_multiplier"] = config.embedding_multiplier;
    json["residual_multiplier"] = config.residual_multiplier;
    json["logits_scaling"] = config.logits_divisor;
    json["intermediate_size"] = config.moe_intermediate_size;
    json["num_local_experts"] = config.router.num_experts;
}

void add_lfm2_moe(Json& json, const MoeConfig& config) {
    json.erase("rms_norm_eps");
    json["norm_eps"] = config.rms_norm_eps;
    json["conv_L_cache"] = config.short_convolution.kernel;
    json["conv_bias"] = config.short_convolution.has_bias;
    json["layer_types"] = mixer_types(config);
    json["num_experts"] = config.router.num_experts;
    json["use_expert_bias"] = config.router.has_selection_bias;
    json["norm_topk_prob"] = config.router.normalises_top_k;
    json["routed_scaling_factor"] = config.router.scale;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
    json["intermediate_size"] = dense_width(config);
    json["num_dense_layers"] = leading_dense_layers(config);
}

struct Family {
    std::string_view name;
    std::string_view architecture;  ///< class of transformers
    void (*add_fields)(Json&, const MoeConfig&);
};

constexpr std::array kFamilies{
    Family{"mixtral", "MixtralForCausalLM", add_mixtral},
    Family{"qwen2_moe", "Qwen2MoeForCausalLM", add_qwen2_moe},
    Family{"qwen3_moe", "Qwen3MoeForCausalLM", add_qwen3_moe},
    Family{"qwen3_next", "Qwen3NextForCausalLM", add_qwen3_next},
    Family{"qwen3_5_moe", "Qwen3_5MoeForCausalLM", add_qwen3_5_moe},
    Family{"qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", add_qwen3_5_moe},
    Family{"olmoe", "OlmoeForCausalLM", add_olmoe},
    Family{"gpt_oss", "GptOssForCausalLM", add_gpt_oss},
    Family{"deepseek_v2", "DeepseekV2ForCausalLM", add_deepseek_v2},
    Family{"deepseek_v3", "DeepseekV3ForCausalLM", add_deepseek_v3},
    Family{"glm4_moe", "Glm4MoeForCausalLM", add_glm4_moe},
    Family{"glm4_moe_lite", "Glm4MoeLiteForCausalLM", add_glm4_moe_lite},
    Family{"granitemoe", "GraniteMoeForCausalLM", add_granitemoe},
    Family{"lfm2_moe", "Lfm2MoeForCausalLM", add_lfm2_moe},
};

}  // namespace

Json hub_config(const MoeConfig& config, const std::string& dtype) {
    const auto* const family =
        std::find_if(kFamilies.begin(), kFamilies.end(),
                     [&](const Family& row) { return row.name == config.family; });
    if (family == kFamilies.end()) {
        throw Error(
            ErrorCode::ArchUnknown,
            fmt::format("A config.json for the family {} cannot be written.", config.family),
            "Keep the model as GGUF.");
    }
    Json json = common_fields(config, dtype);
    json["architectures"] = {family->architecture};
    family->add_fields(json, config);
    return json;
}

}  // namespace espalier
