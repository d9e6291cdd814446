#include <fmt/format.h>

#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {
namespace {

void read_gated_shared_expert(ConfigReader& reader, MoeConfig& config) {
    config.shared_expert = {.width = reader.integer("shared_expert_intermediate_size"),
                            .has_gate = true};
}

/// What the layers that keep a state have in common with full attention: nothing but the norms.
void read_delta_net(ConfigReader& reader, MoeConfig& config) {
    config.delta_net = {.num_key_heads = reader.integer("linear_num_key_heads"),
                        .num_value_heads = reader.integer("linear_num_value_heads"),
                        .key_dim = reader.integer("linear_key_head_dim"),
                        .value_dim = reader.integer("linear_value_head_dim"),
                        .kernel = reader.integer("linear_conv_kernel_dim")};
    auto types = read_layer_types(reader, "layer_types", config);
    const std::int64_t interval = reader.integer_or("full_attention_interval", 4);
    if (interval < 1) {
        reader.contradiction(fmt::format("full_attention_interval is {}", interval));
    }
    if (types.empty()) {
        types.assign(config.layers.size(), "linear_attention");
        for (std::size_t i = 0; i < types.size(); ++i) {
            if ((static_cast<std::int64_t>(i) + 1) % interval == 0) types[i] = "full_attention";
        }
    }
    set_mixers(reader, config, types);
}

/// Both families that alternate DeltaNet and gated attention.
MoeConfig read_hybrid(ConfigReader& reader) {
    const HubDefaults defaults{.partial_rotary_factor = 0.25};
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.qk_norm = QkNorm::PerHead;
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.attention.has_output_gate = true;
    if (!reader.flag_or("attn_output_gate", true)) {
        reader.unknown("attn_output_gate is false, Espalier knows true only");
    }
    read_delta_net(reader, config);
    config.router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    read_gated_shared_expert(reader, config);
    return config;
}

/// The layers that `layer_types` names; without it the even ones below `max_window_layers`.
void read_alternating_windows(ConfigReader& reader, MoeConfig& config) {
    auto types = read_layer_types(reader, "layer_types", config);
    const std::int64_t last = reader.integer_or("max_window_layers", config.num_layers());
    const bool slides = reader.flag_or("use_sliding_window", false);
    reader.find("sliding_window");
    if (!slides) return set_mixers(reader, config, types);
    const std::int64_t window = reader.integer_or("sliding_window", 4096);
    if (types.empty()) {
        types.assign(config.layers.size(), "full_attention");
        for (std::size_t i = 0; i < types.size(); i += 2) {
            if (static_cast<std::int64_t>(i) < last) types[i] = "sliding_attention";
        }
    }
    set_mixers(reader, config, types, window);
}

}  // namespace

MoeConfig read_qwen2_moe(ConfigReader& reader) {
    const HubDefaults defaults;
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.has_qkv_bias = reader.flag_or("qkv_bias", true);
    config.router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    config.router.normalises_top_k = reader.flag_or("norm_topk_prob", false);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    read_gated_shared_expert(reader, config);
    read_sparse_layers(reader, config);
    read_alternating_windows(reader, config);
    return config;
}

MoeConfig read_qwen3_moe(ConfigReader& reader) {
    const HubDefaults defaults;
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.qk_norm = QkNorm::PerHead;
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    config.router.normalises_top_k = reader.flag_or("norm_topk_prob", false);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    read_sparse_layers(reader, config);
    const bool slides = reader.flag_or("use_sliding_window", false);
    if (reader.find("sliding_window") && slides) {
        const std::int64_t window = reader.integer("sliding_window");
        for (auto& layer : config.layers) set_sliding_window(layer, window);
    }
    return config;
}

MoeConfig read_qwen3_next(ConfigReader& reader) {
    MoeConfig config = read_hybrid(reader);
    config.router.normalises_top_k = reader.flag_or("norm_topk_prob", true);
    read_sparse_layers(reader, config);
    return config;
}

/// Every layer has experts, whose weights are always normalised.
MoeConfig read_qwen3_5_moe(ConfigReader& reader) {
    MoeConfig config = read_hybrid(reader);
    if (!reader.integers("mlp_only_layers").empty()) {
        reader.unknown("mlp_only_layers names dense layers, which this family does not have");
    }
    return config;
}

}  // namespace espalier
