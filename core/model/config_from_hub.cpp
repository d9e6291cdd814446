#include "model/config_from_hub.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "formats/file_error.h"
#include "model/check_config.h"
#include "model/config_reader.h"

namespace espalier {
namespace {

/// Fields without influence on what the model computes: training, bookkeeping, defaults of
/// generation.
constexpr std::array<std::string_view, 45> kIgnored{
    "_attn_implementation",
    "_name_or_path",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "auto_map",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "embd_pdrop",
    "finetuning_task",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "max_window_layers",
    "min_length",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "pretraining_tp",
    "prefix",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "sep_token_id",
    "temperature",
    "top_k",
    "top_p",
    "transformers_version",
    "unsloth_version",
    "use_cache",
};

void require_default_rope(ConfigReader& reader) {
    const std::string kind = reader.text_or({"rope_type", "type"}, "default");
    if (kind != "default") {
        reader.unknown(fmt::format("RoPE scaling of the kind {} is not known", in_quotes(kind)));
    }
}

/// `rope_parameters` of transformers 5, or `rope_theta`, `rope_scaling` and `partial_rotary_factor`
/// of transformers 4; where both stand, they must agree.
RopeConfig read_rope(ConfigReader& reader, std::int64_t head_dim, double default_theta) {
    double theta = reader.number_or("rope_theta", default_theta);
    double rotated = reader.number_or("partial_rotary_factor", 1.0);
    for (const auto key : {"rope_scaling", "rope_parameters"}) {
        const Json* object = reader.find(key);
        if (!object) continue;
        if (!object->is_object()) reader.contradiction(fmt::format("{} is not an object", key));
        ConfigReader inner(*object, fmt::format("{}, {}", reader.source(), key));
        require_default_rope(inner);
        const double inner_theta = inner.number_or("rope_theta", theta);
        const double inner_rotated = inner.number_or("partial_rotary_factor", rotated);
        if ((reader.find("rope_theta") && inner_theta != theta) ||
            (reader.find("partial_rotary_factor") && inner_rotated != rotated)) {
            inner.contradiction("it contradicts the field of the same name outside");
        }
        theta = inner_theta;
        rotated = inner_rotated;
        inner.refuse_unread({});
    }
    if (!(rotated > 0.0 && rotated <= 1.0)) {
        reader.contradiction(fmt::format("partial_rotary_factor is {}", rotated));
    }
    return {.theta = theta,
            .rotated_dims = static_cast<std::int64_t>(static_cast<double>(head_dim) * rotated)};
}

AttentionConfig read_attention(ConfigReader& reader, std::int64_t hidden_size,
                               double default_theta) {
    AttentionConfig attention;
    attention.num_heads = reader.integer("num_attention_heads");
    if (attention.num_heads < 1) reader.contradiction("num_attention_heads is below 1");
    attention.num_kv_heads = reader.integer_or("num_key_value_heads", attention.num_heads);
    if (reader.find("head_dim")) {
        attention.head_dim = reader.integer("head_dim");
    } else if (hidden_size % attention.num_heads == 0) {
        attention.head_dim = hidden_size / attention.num_heads;
    } else {
        reader.contradiction("head_dim is missing and hidden_size is no multiple of the heads");
    }
    attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
    attention.rope = read_rope(reader, attention.head_dim, default_theta);
    return attention;
}

/// Resizing by a number from a file comes after looking at it.
std::size_t read_num_layers(ConfigReader& reader) {
    constexpr std::int64_t kMost = 1 << 16;
    const std::int64_t count = reader.integer("num_hidden_layers");
    if (count < 1 || count > kMost) {
        reader.contradiction(fmt::format("num_hidden_layers is {}", count));
    }
    return static_cast<std::size_t>(count);
}

/// What all families share.
MoeConfig read_common(ConfigReader& reader, double default_theta, double default_eps) {
    MoeConfig config;
    config.hidden_size = reader.integer("hidden_size");
    config.vocab_size = reader.integer("vocab_size");
    config.context_length = reader.integer("max_position_embeddings");
    config.rms_norm_eps = reader.number_or("rms_norm_eps", default_eps);
    config.ties_embeddings = reader.flag_or("tie_word_embeddings", false);
    config.stored_dtype = reader.text_or({"dtype", "torch_dtype"}, "");
    config.eos_token_ids = reader.integers("eos_token_id");
    config.layers.resize(read_num_layers(reader));
    config.attention = read_attention(reader, config.hidden_size, default_theta);
    config.router.top_k = reader.integer("num_experts_per_tok");
    reader.require_text("hidden_act", "silu");
    return config;
}

void set_sliding_window(MoeConfig& config, std::int64_t window) {
    for (auto& layer : config.layers) {
        layer.mixer = MixerKind::SlidingAttention;
        layer.sliding_window = window;
    }
}

/// Layer i has experts iff it is not in mlp_only_layers and (i + 1) mod decoder_sparse_step is 0.
void set_dense_layers(ConfigReader& reader, MoeConfig& config) {
    const auto dense = reader.integers("mlp_only_layers");
    const std::int64_t step = reader.integer_or("decoder_sparse_step", 1);
    if (step < 1) reader.contradiction(fmt::format("decoder_sparse_step is {}", step));
    bool any_dense = false;
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        const bool is_dense =
            (i + 1) % step != 0 || std::find(dense.begin(), dense.end(), i) != dense.end();
        if (is_dense) {
            config.layers[static_cast<std::size_t>(i)].feed_forward = FeedForwardKind::Dense;
        }
        any_dense = any_dense || is_dense;
    }
    const Json* width = reader.find("intermediate_size");
    if (any_dense || !width)
        config.intermediate_size = any_dense ? reader.integer("intermediate_size") : 0;
}

MoeConfig read_qwen3_moe(ConfigReader& reader) {
    MoeConfig config = read_common(reader, 10000.0, 1e-6);
    config.attention.qk_norm = QkNorm::PerHead;
    config.attention.has_qkv_bias = reader.flag_or("attention_bias", false);
    config.attention.has_output_bias = config.attention.has_qkv_bias;
    config.router.num_experts = reader.integer({"num_experts", "num_local_experts"});
    config.router.normalises_top_k = reader.flag_or("norm_topk_prob", false);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size");
    set_dense_layers(reader, config);
    const bool slides = reader.flag_or("use_sliding_window", false);
    if (reader.find("sliding_window") && slides) {
        set_sliding_window(config, reader.integer("sliding_window"));
    }
    return config;
}

MoeConfig read_mixtral(ConfigReader& reader) {
    MoeConfig config = read_common(reader, 1e6, 1e-5);
    config.router.num_experts = reader.integer("num_local_experts");
    config.moe_intermediate_size = reader.integer("intermediate_size");
    if (reader.find("sliding_window")) {
        set_sliding_window(config, reader.integer("sliding_window"));
    }
    return config;
}

struct Family {
    std::string_view model_type;
    MoeConfig (*read)(ConfigReader&);
};

constexpr std::array kFamilies{
    Family{"qwen3_moe", read_qwen3_moe},
    Family{"mixtral", read_mixtral},
};

void add_eos_ids(MoeConfig& config, const Json& generation, const std::string& source) {
    if (!generation.is_object()) return;
    ConfigReader reader(generation, source);
    for (const std::int64_t id : reader.integers("eos_token_id")) {
        auto& ids = config.eos_token_ids;
        if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
}

}  // namespace

MoeConfig config_from_hub(const Json& config, const Json& generation, const std::string& source) {
    ConfigReader reader(config, source);
    const std::string model_type = reader.text_or({"model_type"}, "");
    if (model_type.empty()) reader.contradiction("model_type is missing");
    const auto* const family =
        std::find_if(kFamilies.begin(), kFamilies.end(),
                     [&](const Family& row) { return row.model_type == model_type; });
    if (family == kFamilies.end()) {
        reader.unknown(fmt::format("the model_type {} is not known", in_quotes(model_type)));
    }
    if (reader.find("quantization_config")) {
        reader.unknown("the weights are quantised already (quantization_config)");
    }
    MoeConfig result = family->read(reader);
    result.family = model_type;
    add_eos_ids(result, generation, source);
    reader.refuse_unread(kIgnored);
    check_config(result, source);
    return result;
}

}  // namespace espalier
