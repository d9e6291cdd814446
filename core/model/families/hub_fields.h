#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_reader.h"
#include "model/moe_config.h"

namespace espalier {

/// What a family assumes where config.json says nothing.
struct HubDefaults {
    double rope_theta = 10000.0;
    double rms_norm_eps = 1e-6;
    double partial_rotary_factor = 1.0;
    bool ties_embeddings = false;
};

/// Sizes, norms and layer count: what all families say in the same words, but for attention.
MoeConfig read_sizes(ConfigReader& reader, const HubDefaults& defaults);

/// Heads, head size and RoPE of ordinary attention; scale 1/sqrt(head_dim).
AttentionConfig read_attention(ConfigReader& reader, std::int64_t hidden_size,
                               const HubDefaults& defaults);

/// The DeepSeek form of attention with its sizes; every layer's mixer is set.
void read_latent_attention(ConfigReader& reader, MoeConfig& config, const HubDefaults& defaults);

/// RoPE over a head of `head_dim`: `rope_parameters` of transformers 5, or `rope_theta`,
/// `rope_scaling` and `partial_rotary_factor` of transformers 4; where both stand, they must agree.
struct HubRope {
    RopeConfig rope;
    double mscale_all_dim = 0.0;  ///< Yarn: what the scale of attention is stretched by, if not 0
};
HubRope read_rope(ConfigReader& reader, std::int64_t head_dim, const HubDefaults& defaults);

/// Sigmoid router with selection bias and groups, shared experts, leading dense layers: what
/// DeepSeek-V3 began and GLM took over.
void read_sigmoid_moe(ConfigReader& reader, MoeConfig& config);

/// `layer_types`; empty if absent.
/// @throws Error ArchConfig if the list has another length than the model
std::vector<std::string> read_layer_types(ConfigReader& reader, std::string_view key,
                                          const MoeConfig& config);

/// Sets the mixer of each layer by its type: "full_attention", "sliding_attention" with this
/// window, "linear_attention", "conv". @throws Error ArchUnknown for another
void set_mixers(ConfigReader& reader, MoeConfig& config, const std::vector<std::string>& types,
                std::int64_t sliding_window = 0);

void set_sliding_window(LayerConfig& layer, std::int64_t window);

/// Layers 0 .. count - 1 are dense.
void set_leading_dense_layers(ConfigReader& reader, MoeConfig& config, std::int64_t count);

/// Layer i has experts iff it is not in mlp_only_layers and (i + 1) mod decoder_sparse_step is 0.
void read_sparse_layers(ConfigReader& reader, MoeConfig& config);

/// Takes `intermediate_size` if a layer is dense.
void read_dense_width(ConfigReader& reader, MoeConfig& config);

}  // namespace espalier
