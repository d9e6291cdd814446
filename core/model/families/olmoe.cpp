#include <fmt/format.h>

#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {

MoeConfig read_olmoe(ConfigReader& reader) {
    const HubDefaults defaults{.rms_norm_eps = 1e-5};
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.qk_norm = QkNorm::Whole;
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.attention.clip_qkv = reader.number_or("clip_qkv", 0.0);
    if (config.attention.clip_qkv < 0.0) {
        reader.contradiction(fmt::format("clip_qkv is {}", config.attention.clip_qkv));
    }
    config.router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    config.router.normalises_top_k = reader.flag_or("norm_topk_prob", false);
    config.moe_intermediate_size = reader.integer("intermediate_size");
    return config;
}

}  // namespace espalier
