#include "model/config_to_hub.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

/// What both families say in the same words.
Json common_fields(const MoeConfig& config, const std::string& dtype) {
    const AttentionConfig& attention = config.attention;
    Json json = {
        {"model_type", config.family},
        {"dtype", dtype},
        {"hidden_act", "silu"},
        {"hidden_size", config.hidden_size},
        {"vocab_size", config.vocab_size},
        {"max_position_embeddings", config.context_length},
        {"num_hidden_layers", config.num_layers()},
        {"num_attention_heads", attention.num_heads},
        {"num_key_value_heads", attention.num_kv_heads},
        {"head_dim", attention.head_dim},
        {"num_local_experts", config.router.num_experts},
        {"num_experts_per_tok", config.router.top_k},
        {"rms_norm_eps", config.rms_norm_eps},
        {"rope_parameters", {{"rope_theta", attention.rope.theta}, {"rope_type", "default"}}},
        {"tie_word_embeddings", config.ties_embeddings}};
    if (config.eos_token_ids.size() == 1) json["eos_token_id"] = config.eos_token_ids.front();
    if (config.eos_token_ids.size() > 1) json["eos_token_id"] = config.eos_token_ids;
    return json;
}

Json qwen3_moe(const MoeConfig& config, Json json) {
    std::vector<std::int64_t> dense;
    for (std::int64_t layer = 0; layer < config.num_layers(); ++layer) {
        if (config.layers[static_cast<std::size_t>(layer)].feed_forward == FeedForwardKind::Dense) {
            dense.push_back(layer);
        }
    }
    json["architectures"] = {"Qwen3MoeForCausalLM"};
    json["attention_bias"] = config.attention.has_qkv_bias;
    json["decoder_sparse_step"] = 1;
    json["intermediate_size"] =
        std::max<std::int64_t>(config.intermediate_size, config.moe_intermediate_size);
    json["mlp_only_layers"] = dense;
    json["moe_intermediate_size"] = config.moe_intermediate_size;
    json["norm_topk_prob"] = config.router.normalises_top_k;
    const std::int64_t window = config.layers.empty() ? 0 : config.layers.front().sliding_window;
    json["use_sliding_window"] = window > 0;
    json["sliding_window"] = window > 0 ? Json(window) : Json();
    return json;
}

Json mixtral(const MoeConfig& config, Json json) {
    const std::int64_t window = config.layers.empty() ? 0 : config.layers.front().sliding_window;
    json["architectures"] = {"MixtralForCausalLM"};
    json["intermediate_size"] = config.moe_intermediate_size;
    json["sliding_window"] = window > 0 ? Json(window) : Json();
    return json;
}

}  // namespace

Json hub_config(const MoeConfig& config, const std::string& dtype) {
    if (config.family == "qwen3_moe") return qwen3_moe(config, common_fields(config, dtype));
    if (config.family == "mixtral") return mixtral(config, common_fields(config, dtype));
    throw Error(ErrorCode::ArchUnknown,
                fmt::format("A config.json for the family {} cannot be written.", config.family),
                "Keep the model as GGUF.");
}

}  // namespace espalier
