#include "quant/gguf_architecture.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "quant/gguf_limits.h"

namespace espalier {
namespace {

class KeyWriter {
public:
    KeyWriter(GgufMetadata& metadata, std::string_view architecture)
        : metadata_(metadata), prefix_(fmt::format("{}.", architecture)) {}

    void integer(std::string_view key, std::int64_t value) {
        metadata_.set(prefix_ + std::string(key), static_cast<std::uint32_t>(value));
    }
    void number(std::string_view key, double value) {
        metadata_.set(prefix_ + std::string(key), static_cast<float>(value));
    }
    void flag(std::string_view key, bool value) {
        metadata_.set(prefix_ + std::string(key), value);
    }
    void text(std::string_view key, std::string value) {
        metadata_.set(prefix_ + std::string(key), std::move(value));
    }
    template <typename T>
    void array(std::string_view key, std::vector<T> values) {
        metadata_.set(prefix_ + std::string(key), GgufArray(std::move(values)));
    }

private:
    GgufMetadata& metadata_;
    std::string prefix_;
};

/// What a function of the table below is given.
struct Request {
    KeyWriter& keys;
    const MoeConfig& config;
    std::int64_t feed_forward_length;  ///< of a dense layer; 0 if unknown
};

void add_expert_width(const Request& request) {
    request.keys.integer("expert_feed_forward_length", request.config.moe_intermediate_size);
}

/// Where no layer is dense nothing is computed with it, but loaders ask for it.
void add_dense_width(const Request& request) {
    const std::int64_t known =
        std::max(request.config.intermediate_size, request.feed_forward_length);
    request.keys.integer("feed_forward_length",
                         known > 0 ? known : request.config.moe_intermediate_size);
}

void add_rotated_dims(const Request& request) {
    request.keys.integer("rope.dimension_count", request.config.attention.rope.rotated_dims);
}

void add_head_dim(const Request& request) {
    request.keys.integer("attention.key_length", request.config.attention.head_dim);
    request.keys.integer("attention.value_length", request.config.attention.head_dim);
}

/// Of architectures whose own configs never give it.
void add_unusual_head_dim(const Request& request) {
    const AttentionConfig& attention = request.config.attention;
    if (attention.head_dim * attention.num_heads != request.config.hidden_size) {
        add_head_dim(request);
    }
}

void add_qwen2moe(const Request& request) {
    add_dense_width(request);
    add_expert_width(request);
    add_unusual_head_dim(request);
    request.keys.integer("expert_shared_feed_forward_length", request.config.shared_expert.width);
}

void add_qwen3moe(const Request& request) {
    add_dense_width(request);
    add_expert_width(request);
    add_head_dim(request);
    const RopeConfig& rope = request.config.attention.rope;
    if (rope.rotated_dims != request.config.attention.head_dim) add_rotated_dims(request);
}

/// The distance of full layers if it is even, else what nearly fits: the list counts.
std::int64_t full_attention_interval(const MoeConfig& config) {
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        if (config.layers[static_cast<std::size_t>(i)].mixer != MixerKind::DeltaNet) return i + 1;
    }
    return config.num_layers() + 1;
}

void add_qwen3next(const Request& request) {
    const MoeConfig& config = request.config;
    const DeltaNetConfig& delta = config.delta_net;
    add_dense_width(request);
    add_expert_width(request);
    add_head_dim(request);
    add_rotated_dims(request);
    request.keys.integer("expert_shared_feed_forward_length", config.shared_expert.width);
    request.keys.integer("ssm.conv_kernel", delta.kernel);
    request.keys.integer("ssm.state_size", delta.key_dim);
    request.keys.integer("ssm.group_count", delta.num_key_heads);
    request.keys.integer("ssm.time_step_rank", delta.num_value_heads);
    request.keys.integer("ssm.inner_size", delta.num_value_heads * delta.value_dim);
    std::vector<bool> recurrent;
    for (const auto& layer : config.layers) {
        recurrent.push_back(layer.mixer == MixerKind::DeltaNet);
    }
    request.keys.array("attention.recurrent_layers", std::move(recurrent));
    request.keys.integer("full_attention_interval", full_attention_interval(config));
}

/// Positions of images come in three parts; those of text are the same in each.
void add_qwen35moe(const Request& request) {
    add_qwen3next(request);
    const std::int64_t pairs = request.config.attention.rope.rotated_dims / 2;
    const std::int64_t first = (pairs + 2) / 3;
    const std::int64_t second = (pairs - first + 1) / 2;
    request.keys.array("rope.dimension_sections",
                       std::vector<std::int32_t>{
                           static_cast<std::int32_t>(first), static_cast<std::int32_t>(second),
                           static_cast<std::int32_t>(pairs - first - second), 0});
}

void add_llama(const Request& request) {
    request.keys.integer("feed_forward_length", request.config.moe_intermediate_size);
    request.keys.integer("vocab_size", request.config.vocab_size);
    add_head_dim(request);
    add_rotated_dims(request);
}

void add_olmoe(const Request& request) {
    request.keys.integer("feed_forward_length", request.config.moe_intermediate_size);
    add_unusual_head_dim(request);
}

void add_gpt_oss(const Request& request) {
    const MoeConfig& config = request.config;
    add_dense_width(request);
    add_expert_width(request);
    add_head_dim(request);
    request.keys.integer("attention.sliding_window", config.layers.front().sliding_window);
    const RopeScaling& scaling = config.attention.rope.scaling;
    if (scaling.kind == RopeScalingKind::Yarn && !scaling.truncate) {
        log("quant").warn(
            "llama.cpp rounds the range over which YaRN blends frequencies, this model does not: "
            "its results will differ slightly from the original's");
    }
}

void add_sigmoid_router(const Request& request) {
    const RouterConfig& router = request.config.router;
    const bool is_sigmoid = router.scoring == RouterScoring::Sigmoid;
    request.keys.integer("expert_gating_func", is_sigmoid ? 2 : 1);
    request.keys.integer("expert_group_count", router.num_groups);
    request.keys.integer("expert_group_used_count", router.top_groups);
    request.keys.number("expert_weights_scale", router.scale);
    if (router.normalises_top_k) request.keys.flag("expert_weights_norm", true);
    const SharedExpertConfig& shared = request.config.shared_expert;
    request.keys.integer("expert_shared_count",
                         shared.width / request.config.moe_intermediate_size);
}

void add_leading_dense_layers(const Request& request) {
    const auto& layers = request.config.layers;
    const auto first_moe = std::find_if(layers.begin(), layers.end(), [](const LayerConfig& layer) {
        return layer.feed_forward == FeedForwardKind::Moe;
    });
    request.keys.integer("leading_dense_block_count", first_moe - layers.begin());
}

void add_deepseek2(const Request& request) {
    const MoeConfig& config = request.config;
    const LatentConfig& latent = config.attention.latent;
    add_dense_width(request);
    add_expert_width(request);
    add_sigmoid_router(request);
    add_leading_dense_layers(request);
    // Attention runs over the latent rows, which all query heads share.
    request.keys.integer("attention.head_count_kv", 1);
    request.keys.integer("attention.key_length", latent.rank + latent.rope_dim);
    request.keys.integer("attention.value_length", latent.rank);
    request.keys.integer("attention.key_length_mla", config.attention.head_dim);
    request.keys.integer("attention.value_length_mla", latent.value_dim);
    if (latent.query_rank > 0) request.keys.integer("attention.q_lora_rank", latent.query_rank);
    request.keys.integer("attention.kv_lora_rank", latent.rank);
    request.keys.integer("vocab_size", config.vocab_size);
    request.keys.integer("rope.dimension_count", latent.rope_dim);
    const double stretch = yarn_stretch(config.attention);
    if (stretch != 0.0) request.keys.number("rope.scaling.yarn_log_multiplier", 0.1 * stretch);
}

void add_glm4moe(const Request& request) {
    add_dense_width(request);
    add_expert_width(request);
    add_head_dim(request);
    add_rotated_dims(request);
    add_sigmoid_router(request);
    add_leading_dense_layers(request);
    request.keys.integer("nextn_predict_layers", 0);
}

void add_granitemoe(const Request& request) {
    const MoeConfig& config = request.config;
    request.keys.integer("feed_forward_length", config.moe_intermediate_size);
    request.keys.integer("vocab_size", config.vocab_size);
    add_rotated_dims(request);
    request.keys.number("attention.scale", config.attention.scale);
    request.keys.number("embedding_scale", config.embedding_multiplier);
    request.keys.number("residual_scale", config.residual_multiplier);
    request.keys.number("logit_scale", config.logits_divisor);
}

void add_lfm2moe(const Request& request) {
    const MoeConfig& config = request.config;
    add_dense_width(request);
    add_expert_width(request);
    add_unusual_head_dim(request);
    add_leading_dense_layers(request);
    std::vector<std::int32_t> heads;
    for (const auto& layer : config.layers) {
        const bool is_attention = layer.mixer != MixerKind::ShortConvolution;
        heads.push_back(is_attention ? static_cast<std::int32_t>(config.attention.num_kv_heads)
                                     : 0);
    }
    request.keys.array("attention.head_count_kv", std::move(heads));
    request.keys.integer("expert_gating_func", 2);
    request.keys.integer("vocab_size", config.vocab_size);
    request.keys.integer("shortconv.l_cache", config.short_convolution.kernel);
}

void add_rope(const Request& request) {
    const RopeConfig& rope = request.config.attention.rope;
    const RopeScaling& scaling = rope.scaling;
    request.keys.number("rope.freq_base", rope.theta);
    if (scaling.kind == RopeScalingKind::Linear) {
        request.keys.text("rope.scaling.type", "linear");
        request.keys.number("rope.scaling.factor", scaling.factor);
    } else if (scaling.kind == RopeScalingKind::Yarn) {
        request.keys.text("rope.scaling.type", "yarn");
        request.keys.number("rope.scaling.factor", scaling.factor);
        request.keys.integer("rope.scaling.original_context_length", scaling.original_context);
        request.keys.flag("rope.scaling.yarn_truncate", scaling.truncate);
        request.keys.number("rope.scaling.yarn_beta_fast", scaling.beta_fast);
        request.keys.number("rope.scaling.yarn_beta_slow", scaling.beta_slow);
    }
}

struct Architecture {
    std::string_view family;
    std::string_view name;
    void (*add_keys)(const Request&);
    bool needs_output = false;
};

constexpr std::array kArchitectures{
    Architecture{"mixtral", "llama", add_llama},
    Architecture{"qwen2_moe", "qwen2moe", add_qwen2moe, true},
    Architecture{"qwen3_moe", "qwen3moe", add_qwen3moe},
    Architecture{"qwen3_next", "qwen3next", add_qwen3next},
    Architecture{"qwen3_5_moe", "qwen35moe", add_qwen35moe},
    Architecture{"qwen3_5_moe_text", "qwen35moe", add_qwen35moe},
    Architecture{"olmoe", "olmoe", add_olmoe, true},
    Architecture{"gpt_oss", "gpt-oss", add_gpt_oss, true},
    Architecture{"deepseek_v2", "deepseek2", add_deepseek2},
    Architecture{"deepseek_v3", "deepseek2", add_deepseek2},
    Architecture{"glm4_moe_lite", "deepseek2", add_deepseek2},
    Architecture{"glm4_moe", "glm4moe", add_glm4moe},
    Architecture{"granitemoe", "granitemoe", add_granitemoe},
    Architecture{"lfm2_moe", "lfm2moe", add_lfm2moe},
};

const Architecture& find_architecture(const MoeConfig& config) {
    const auto found =
        std::find_if(kArchitectures.begin(), kArchitectures.end(),
                     [&](const Architecture& row) { return row.family == config.family; });
    if (found != kArchitectures.end()) return *found;
    throw Error(ErrorCode::GgufInexpressible,
                fmt::format("Espalier has no GGUF form for the family \"{}\".", config.family),
                "Export it as a hub folder instead.");
}

}  // namespace

std::string_view gguf_architecture(const MoeConfig& config) {
    const std::string_view name = find_architecture(config).name;
    require_expressible(name, config);
    return name;
}

bool needs_output_tensor(const MoeConfig& config) { return find_architecture(config).needs_output; }

void add_architecture_keys(GgufMetadata& metadata, const MoeConfig& config,
                           std::int64_t feed_forward_length) {
    const Architecture& architecture = find_architecture(config);
    KeyWriter keys(metadata, architecture.name);
    keys.integer("block_count", config.num_layers());
    keys.integer("context_length", config.context_length);
    keys.integer("embedding_length", config.hidden_size);
    keys.integer("attention.head_count", config.attention.num_heads);
    keys.integer("attention.head_count_kv", config.attention.num_kv_heads);
    keys.number("attention.layer_norm_rms_epsilon", config.rms_norm_eps);
    keys.integer("expert_count", config.router.num_experts);
    keys.integer("expert_used_count", config.router.top_k);
    const Request request{keys, config, feed_forward_length};
    add_rope(request);
    architecture.add_keys(request);
}

}  // namespace espalier
