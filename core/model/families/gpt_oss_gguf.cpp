#include "model/families/architecture_readers.h"
#include "model/families/gguf_fields.h"

namespace espalier {

/// The window of every other layer, the sinks and the clamped activation are wired into the
/// architecture; 7 is the limit of the published models and of llama.cpp.
MoeConfig read_gguf_gpt_oss(GgufKeyReader& reader) {
    MoeConfig config = read_gguf_sizes(reader);
    config.family = "gpt_oss";
    config.attention = read_gguf_attention(reader, config);
    config.attention.has_sinks = true;
    const std::int64_t window = reader.integer("attention.sliding_window");
    for (std::size_t i = 0; i < config.layers.size(); i += 2) {
        config.layers[i].mixer = MixerKind::SlidingAttention;
        config.layers[i].sliding_window = window;
    }
    // 3: softmax of the chosen logits, which is what normalised probabilities come to.
    reader.require_wired("expert_gating_func", std::int64_t{3});
    config.router.has_bias = true;
    config.moe_intermediate_size = reader.integer("expert_feed_forward_length");
    config.experts = {.activation = ExpertActivation::ClampedSilu, .has_bias = true};
    return config;
}

}  // namespace espalier
