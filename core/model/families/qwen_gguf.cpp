#include <fmt/format.h>

#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {
namespace {

void read_shared_expert(GgufKeyReader& reader, MoeConfig& config) {
    config.shared_expert = {.width = reader.integer("expert_shared_feed_forward_length"),
                            .has_gate = true};
}

/// `attention.recurrent_layers` says it layer by layer, `full_attention_interval` for regular ones.
void set_delta_net_layers(GgufKeyReader& reader, MoeConfig& config) {
    const std::int64_t interval = reader.integer_or("full_attention_interval", 4);
    if (interval < 1) throw reader.unknown(fmt::format("full_attention_interval is {}", interval));
    const auto blocks = config.layers.size() + static_cast<std::size_t>(config.num_extra_layers);
    const auto recurrent = reader.flags("attention.recurrent_layers", blocks);
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const bool is_recurrent =
            recurrent.empty() ? (static_cast<std::int64_t>(i) + 1) % interval != 0 : recurrent[i];
        if (is_recurrent) config.layers[i].mixer = MixerKind::DeltaNet;
    }
}

MoeConfig read_hybrid(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.attention = read_gguf_attention(reader, config);
    config.attention.qk_norm = QkNorm::PerHead;
    config.attention.has_output_gate = true;
    const std::int64_t value_heads = reader.integer("ssm.time_step_rank");
    const std::int64_t inner_size = reader.integer("ssm.inner_size");
    if (value_heads < 1 || inner_size % value_heads != 0) {
        throw reader.unknown(
            fmt::format("ssm.inner_size {} is no multiple of ssm.time_step_rank "
                        "{}",
                        inner_size, value_heads));
    }
    config.delta_net = {.num_key_heads = reader.integer("ssm.group_count"),
                        .num_value_heads = value_heads,
                        .key_dim = reader.integer("ssm.state_size"),
                        .value_dim = inner_size / value_heads,
                        .kernel = reader.integer("ssm.conv_kernel")};
    set_delta_net_layers(reader, config);
    require_softmax_router(reader, true);
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    read_shared_expert(reader, config);
    return config;
}

}  // namespace

MoeConfig read_gguf_qwen2moe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "qwen2_moe";
    config.attention = read_gguf_attention(reader, config);
    require_softmax_router(reader, false);
    config.router.normalises_top_k = false;
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    read_shared_expert(reader, config);
    return config;
}

MoeConfig read_gguf_qwen3moe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "qwen3_moe";
    config.attention = read_gguf_attention(reader, config);
    config.attention.qk_norm = QkNorm::PerHead;
    require_softmax_router(reader, true);
    if (reader.integer_or("expert_shared_count", 0) > 0) {
        reader.refuse("expert_shared_count", "above 0");
    }
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    return config;
}

MoeConfig read_gguf_qwen3next(GgufKeyReader& reader) {
    MoeConfig config = read_hybrid(reader);
    config.family = "qwen3_next";
    return config;
}

MoeConfig read_gguf_qwen35moe(GgufKeyReader& reader) {
    MoeConfig config = read_hybrid(reader);
    config.family = "qwen3_5_moe_text";
    return config;
}

}  // namespace espalier
