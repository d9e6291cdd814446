#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {

MoeConfig read_glm4_moe(ConfigReader& reader) {
    const HubDefaults defaults{.rms_norm_eps = 1e-5, .partial_rotary_factor = 0.5};
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    const bool has_norm = reader.flag_or("use_qk_norm", false);
    config.attention.qk_norm = has_norm ? QkNorm::PerHead : QkNorm::None;
    read_sigmoid_moe(reader, config);
    set_leading_dense_layers(reader, config, reader.integer_or("first_k_dense_replace", 1));
    return config;
}

MoeConfig read_glm4_moe_lite(ConfigReader& reader) {
    const HubDefaults defaults{.rms_norm_eps = 1e-5};
    MoeConfig config = read_sizes(reader, defaults);
    read_latent_attention(reader, config, defaults);
    read_sigmoid_moe(reader, config);
    const auto types = read_layer_types(reader, "mlp_layer_types", config);
    if (types.empty()) {
        set_leading_dense_layers(reader, config, reader.integer_or("first_k_dense_replace", 1));
        return config;
    }
    reader.find("first_k_dense_replace");
    for (std::size_t i = 0; i < types.size(); ++i) {
        if (types[i] == "dense") {
            config.layers[i].feed_forward = FeedForwardKind::Dense;
        } else if (types[i] != "sparse") {
            reader.unknown("mlp_layer_types names a layer that is neither dense nor sparse");
        }
    }
    read_dense_width(reader, config);
    return config;
}

}  // namespace espalier
