#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {
namespace {

/// Heads whose rotary pairs lie side by side are turned as a whole.
void require_whole_heads(const GgufKeyReader& reader, const AttentionConfig& attention) {
    if (attention.rope.rotated_dims == attention.head_dim) return;
    throw reader.unknown("rope.dimension_count differs from attention.key_length");
}

}  // namespace

MoeConfig read_gguf_llama(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "mixtral";
    config.attention = read_gguf_attention(reader, config);
    require_whole_heads(reader, config.attention);
    require_softmax_router(reader, true);
    config.moe_intermediate_size = reader.integer("feed_forward_length");
    return config;
}

MoeConfig read_gguf_granitemoe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "granitemoe";
    config.attention = read_gguf_attention(reader, config);
    require_whole_heads(reader, config.attention);
    require_softmax_router(reader, true);
    config.attention.scale = reader.number_or("attention.scale", config.attention.scale);
    config.embedding_multiplier = reader.number_or("embedding_scale", 1.0);
    config.residual_multiplier = reader.number_or("residual_scale", 1.0);
    config.logits_divisor = reader.number_or("logit_scale", 1.0);
    config.moe_intermediate_size = reader.integer("feed_forward_length");
    return config;
}

MoeConfig read_gguf_olmoe(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "olmoe";
    config.attention = read_gguf_attention(reader, config);
    config.attention.qk_norm = QkNorm::Whole;
    require_softmax_router(reader, false);
    config.router.normalises_top_k = false;
    config.moe_intermediate_size = reader.integer("feed_forward_length");
    return config;
}

}  // namespace espalier
