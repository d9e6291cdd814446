#include "quant/gguf_architecture.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <string>

#include "base/error.h"

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

private:
    GgufMetadata& metadata_;
    std::string prefix_;
};

void add_qwen3moe(KeyWriter& keys, const MoeConfig& config, std::int64_t feed_forward_length) {
    // Nothing is computed with it, but the loader asks for it.
    keys.integer("feed_forward_length",
                 feed_forward_length > 0 ? feed_forward_length : config.moe_intermediate_size);
    keys.integer("expert_feed_forward_length", config.moe_intermediate_size);
    if (config.attention.rope.rotated_dims != config.attention.head_dim) {
        keys.integer("rope.dimension_count", config.attention.rope.rotated_dims);
    }
}

void add_llama(KeyWriter& keys, const MoeConfig& config, std::int64_t) {
    keys.integer("feed_forward_length", config.moe_intermediate_size);
    keys.integer("vocab_size", config.vocab_size);
    keys.integer("rope.dimension_count", config.attention.rope.rotated_dims);
}

struct Architecture {
    std::string_view family;
    std::string_view name;
    void (*add_keys)(KeyWriter&, const MoeConfig&, std::int64_t);
};

/// All of these renormalise the top-k probabilities of a softmax over all experts, see every key
/// and have experts in every layer.
constexpr std::array kArchitectures{
    Architecture{"qwen3_moe", "qwen3moe", add_qwen3moe},
    Architecture{"mixtral", "llama", add_llama},
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

[[noreturn]] void refuse(std::string_view architecture, std::string_view what,
                         std::string_view hint) {
    throw Error(
        ErrorCode::GgufInexpressible,
        fmt::format("A GGUF file of the architecture {} cannot say that {}; llama.cpp would "
                    "compute something else.",
                    architecture, what),
        std::string(hint));
}

}  // namespace

std::string_view gguf_architecture(const MoeConfig& config) {
    const std::string_view name = find_architecture(config).name;
    constexpr std::string_view kHubInstead = "Export it as a hub folder, which can say it.";
    if (!config.router.normalises_top_k) {
        refuse(name,
               "the chosen experts' probabilities are not renormalised (norm_topk_prob is false)",
               kHubInstead);
    }
    if (config.router.scoring != RouterScoring::Softmax) {
        refuse(name, "the router scores by a sigmoid", kHubInstead);
    }
    for (std::int64_t i = 0; i < config.num_layers(); ++i) {
        const LayerConfig& layer = config.layers[static_cast<std::size_t>(i)];
        if (layer.feed_forward != FeedForwardKind::Moe) {
            refuse(name, fmt::format("layer {} is dense", i), kHubInstead);
        }
        const bool slides = layer.mixer == MixerKind::SlidingAttention &&
                            layer.sliding_window < config.context_length;
        if (slides) {
            refuse(name,
                   fmt::format("layer {} sees the last {} tokens only", i, layer.sliding_window),
                   fmt::format("Export it as a hub folder, or set max_position_embeddings to {} in "
                               "config.json: up to that length nothing is lost.",
                               layer.sliding_window));
        }
    }
    return name;
}

void add_architecture_keys(GgufMetadata& metadata, const MoeConfig& config,
                           std::int64_t feed_forward_length) {
    const Architecture& architecture = find_architecture(config);
    KeyWriter keys(metadata, architecture.name);
    keys.integer("block_count", config.num_layers());
    keys.integer("context_length", config.context_length);
    keys.integer("embedding_length", config.hidden_size);
    keys.integer("attention.head_count", config.attention.num_heads);
    keys.integer("attention.head_count_kv", config.attention.num_kv_heads);
    keys.number("rope.freq_base", config.attention.rope.theta);
    keys.number("attention.layer_norm_rms_epsilon", config.rms_norm_eps);
    keys.integer("expert_count", config.router.num_experts);
    keys.integer("expert_used_count", config.router.top_k);
    keys.integer("attention.key_length", config.attention.head_dim);
    keys.integer("attention.value_length", config.attention.head_dim);
    architecture.add_keys(keys, config, feed_forward_length);
}

}  // namespace espalier
