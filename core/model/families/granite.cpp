#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {

MoeConfig read_granitemoe(ConfigReader& reader) {
    const HubDefaults defaults;
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.attention.scale = reader.number_or("attention_multiplier", 1.0);
    config.embedding_multiplier = reader.number_or("embedding_multiplier", 1.0);
    config.residual_multiplier = reader.number_or("residual_multiplier", 1.0);
    config.logits_divisor = reader.number_or("logits_scaling", 1.0);
    config.router.num_experts = reader.integer({"num_local_experts", "num_experts"});
    config.moe_intermediate_size = reader.integer("intermediate_size");
    return config;
}

}  // namespace espalier
