#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {

MoeConfig read_lfm2_moe(ConfigReader& reader) {
    HubDefaults defaults{.rope_theta = 1e6, .rms_norm_eps = reader.number_or("norm_eps", 1e-5)};
    defaults.ties_embeddings = reader.flag_or("tie_embedding", true);
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.qk_norm = QkNorm::PerHead;
    config.short_convolution = {.kernel = reader.integer_or("conv_L_cache", 3),
                                .has_bias = reader.flag_or("conv_bias", false)};
    const auto types = read_layer_types(reader, "layer_types", config);
    if (types.empty()) reader.contradiction("layer_types is missing");
    set_mixers(reader, config, types);

    RouterConfig& router = config.router;
    router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    router.scoring = RouterScoring::Sigmoid;
    router.has_selection_bias = reader.flag_or("use_expert_bias", true);
    router.normalises_top_k = reader.flag_or("norm_topk_prob", true);
    router.normalising_epsilon = 1e-6;
    router.scale = reader.number_or("routed_scaling_factor", 1.0);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    set_leading_dense_layers(reader, config, reader.integer_or("num_dense_layers", 2));
    return config;
}

}  // namespace espalier
