#include <cmath>

#include "model/families/family_readers.h"
#include "model/families/hub_fields.h"

namespace espalier {
namespace {

/// What a config without a word about RoPE means: the published models.
void assume_published_scaling(RopeConfig& rope) {
    constexpr double kFactor = 32.0;
    rope.scaling = {.kind = RopeScalingKind::Yarn,
                    .factor = kFactor,
                    .original_context = 4096,
                    .truncate = false};
    rope.attention_factor = 0.1 * std::log(kFactor) + 1.0;
}

std::vector<std::string> alternating_types(std::size_t count) {
    std::vector<std::string> types(count, "full_attention");
    for (std::size_t i = 0; i < count; i += 2) types[i] = "sliding_attention";
    return types;
}

}  // namespace

MoeConfig read_gpt_oss(ConfigReader& reader) {
    const HubDefaults defaults{.rope_theta = 150000.0, .rms_norm_eps = 1e-5};
    MoeConfig config = read_sizes(reader, defaults);
    config.attention = read_attention(reader, config.hidden_size, defaults);
    if (!reader.find("rope_scaling") && !reader.find("rope_parameters")) {
        assume_published_scaling(config.attention.rope);
    }
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", true);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.attention.has_sinks = true;
    auto types = read_layer_types(reader, "layer_types", config);
    if (types.empty()) types = alternating_types(config.layers.size());
    set_mixers(reader, config, types, reader.integer_or("sliding_window", 128));

    config.router.num_experts = reader.integer({"num_local_experts", "num_experts"});
    config.router.has_bias = true;
    config.moe_intermediate_size = reader.integer("intermediate_size");
    config.experts = {.activation = ExpertActivation::ClampedSilu,
                      .limit = reader.number_or("swiglu_limit", 7.0),
                      .has_bias = true};
    return config;
}

}  // namespace espalier
