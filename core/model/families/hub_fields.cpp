#include "model/families/hub_fields.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>

#include "formats/file_error.h"

namespace espalier {
namespace {

/// Resizing by a number from a file comes after looking at it.
std::size_t read_num_layers(ConfigReader& reader) {
    constexpr std::int64_t kMost = 1 << 16;
    const std::int64_t count = reader.integer("num_hidden_layers");
    if (count < 1 || count > kMost) {
        reader.contradiction(fmt::format("num_hidden_layers is {}", count));
    }
    return static_cast<std::size_t>(count);
}

std::int64_t read_num_heads(ConfigReader& reader) {
    const std::int64_t heads = reader.integer("num_attention_heads");
    if (heads < 1) reader.contradiction("num_attention_heads is below 1");
    return heads;
}

}  // namespace

MoeConfig read_sizes(ConfigReader& reader, const HubDefaults& defaults) {
    MoeConfig config;
    config.hidden_size = reader.integer("hidden_size");
    config.vocab_size = reader.integer("vocab_size");
    config.context_length = reader.integer("max_position_embeddings");
    config.rms_norm_eps = reader.number_or("rms_norm_eps", defaults.rms_norm_eps);
    config.ties_embeddings = reader.flag_or("tie_word_embeddings", defaults.ties_embeddings);
    config.stored_dtype = reader.text_or({"dtype", "torch_dtype"}, "");
    config.eos_token_ids = reader.integers("eos_token_id");
    config.layers.resize(read_num_layers(reader));
    config.router.top_k = reader.integer({"num_experts_per_tok", "experts_per_token"});
    config.num_extra_layers = reader.integer_or("num_nextn_predict_layers", 0) +
                              reader.integer_or("mtp_num_hidden_layers", 0);
    reader.require_text("hidden_act", "silu");
    return config;
}

AttentionConfig read_attention(ConfigReader& reader, std::int64_t hidden_size,
                               const HubDefaults& defaults) {
    AttentionConfig attention;
    attention.num_heads = read_num_heads(reader);
    attention.num_kv_heads = reader.integer_or("num_key_value_heads", attention.num_heads);
    if (reader.find("head_dim")) {
        attention.head_dim = reader.integer("head_dim");
    } else if (hidden_size % attention.num_heads == 0) {
        attention.head_dim = hidden_size / attention.num_heads;
    } else {
        reader.contradiction("head_dim is missing and hidden_size is no multiple of the heads");
    }
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    attention.rope = read_rope(reader, attention.head_dim, defaults).rope;
    return attention;
}

void read_latent_attention(ConfigReader& reader, MoeConfig& config, const HubDefaults& defaults) {
    AttentionConfig& attention = config.attention;
    LatentConfig& latent = attention.latent;
    attention.num_heads = read_num_heads(reader);
    attention.num_kv_heads = attention.num_heads;
    latent.query_rank = reader.integer_or("q_lora_rank", 0);
    latent.rank = reader.integer("kv_lora_rank");
    latent.nope_dim = reader.integer("qk_nope_head_dim");
    latent.rope_dim = reader.integer("qk_rope_head_dim");
    latent.value_dim = reader.integer("v_head_dim");
    attention.head_dim = latent.nope_dim + latent.rope_dim;
    // What these fields say follows from the others.
    for (const char* key : {"num_key_value_heads", "head_dim", "qk_head_dim"}) reader.find(key);
    attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    attention.has_output_bias = attention.has_qkv_bias;
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));

    const HubRope found = read_rope(reader, latent.rope_dim, defaults);
    attention.rope = found.rope;
    const bool is_interleaved = reader.flag_or("rope_interleave", true);
    attention.rope.style = is_interleaved ? RopeStyle::Pairs : RopeStyle::Half;
    const double factor = attention.rope.scaling.factor;
    if (found.mscale_all_dim != 0.0 && factor > 1.0) {
        const double stretch = 0.1 * found.mscale_all_dim * std::log(factor) + 1.0;
        attention.scale *= stretch * stretch;
    }
    for (auto& layer : config.layers) layer.mixer = MixerKind::LatentAttention;
}

void read_sigmoid_moe(ConfigReader& reader, MoeConfig& config) {
    RouterConfig& router = config.router;
    router.num_experts = reader.integer({"n_routed_experts", "num_local_experts"});
    router.scoring = RouterScoring::Sigmoid;
    router.normalises_top_k = reader.flag_or("norm_topk_prob", true);
    router.normalising_epsilon = 1e-20;
    router.scale = reader.number_or("routed_scaling_factor", 1.0);
    router.has_selection_bias = true;
    router.num_groups = std::max<std::int64_t>(reader.integer_or("n_group", 1), 1);
    router.top_groups = std::max<std::int64_t>(reader.integer_or("topk_group", 1), 1);
    router.group_score = GroupScore::SumOfBestTwo;
    reader.require_text("scoring_func", "sigmoid");
    reader.require_text("topk_method", "noaux_tc");
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    config.shared_expert.width =
        reader.integer_or("n_shared_experts", 1) * config.moe_intermediate_size;
}

std::vector<std::string> read_layer_types(ConfigReader& reader, std::string_view key,
                                          const MoeConfig& config) {
    std::vector<std::string> types = reader.texts(key);
    if (!types.empty() && types.size() != config.layers.size()) {
        reader.contradiction(fmt::format("{} names {} layers, the model has {}", key, types.size(),
                                         config.layers.size()));
    }
    return types;
}

void set_mixers(ConfigReader& reader, MoeConfig& config, const std::vector<std::string>& types,
                std::int64_t sliding_window) {
    for (std::size_t i = 0; i < types.size(); ++i) {
        LayerConfig& layer = config.layers[i];
        if (types[i] == "full_attention") {
            layer.mixer = MixerKind::FullAttention;
        } else if (types[i] == "sliding_attention" && sliding_window > 0) {
            set_sliding_window(layer, sliding_window);
        } else if (types[i] == "linear_attention" && config.delta_net.kernel > 0) {
            layer.mixer = MixerKind::DeltaNet;
        } else if (types[i] == "conv" && config.short_convolution.kernel > 0) {
            layer.mixer = MixerKind::ShortConvolution;
        } else {
            reader.unknown(
                fmt::format("layer {} is of the type {}, which this family does not have", i,
                            in_quotes(types[i])));
        }
    }
}

void set_sliding_window(LayerConfig& layer, std::int64_t window) {
    layer.mixer = MixerKind::SlidingAttention;
    layer.sliding_window = window;
}

void set_leading_dense_layers(ConfigReader& reader, MoeConfig& config, std::int64_t count) {
    for (std::int64_t i = 0; i < std::min(count, config.num_layers()); ++i) {
        config.layers[static_cast<std::size_t>(i)].feed_forward = FeedForwardKind::Dense;
    }
    read_dense_width(reader, config);
}

void read_sparse_layers(ConfigReader& reader, MoeConfig& config) {
    const auto dense = reader.integers("mlp_only_layers");
    const std::int64_t step = reader.integer_or("decoder_sparse_step", 1);
    if (step < 1) reader.contradiction(fmt::format("decoder_sparse_step is {}", step));
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        if ((i + 1) % step == 0 && std::find(dense.begin(), dense.end(), i) == dense.end()) {
            continue;
        }
        config.layers[static_cast<std::size_t>(i)].feed_forward = FeedForwardKind::Dense;
    }
    read_dense_width(reader, config);
}

void read_dense_width(ConfigReader& reader, MoeConfig& config) {
    reader.find("intermediate_size");
    const bool any_dense = std::any_of(
        config.layers.begin(), config.layers.end(),
        [](const LayerConfig& layer) { return layer.feed_forward == FeedForwardKind::Dense; });
    config.intermediate_size = any_dense ? reader.integer("intermediate_size") : 0;
}

}  // namespace espalier
