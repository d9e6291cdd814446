#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {

MoeConfig read_mixtral(ConfigReader& reader) {
    const HubDefaults defaults{.rope_theta = 1e6, .rms_norm_eps = 1e-5};
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    config.router.num_experts = reader.integer({"num_local_experts", "num_experts"});
    config.moe_intermediate_size = reader.integer("intermediate_size");
    if (reader.find("sliding_window")) {
        const std::int64_t window = reader.integer("sliding_window");
        for (auto& layer : config.layers) set_sliding_window(layer, window);
    }
    return config;
}

}  // namespace espalier
