#include "infer/memory_need.h"

#include <algorithm>

namespace espalier {
namespace {

constexpr std::uint64_t kFloat = sizeof(float);
constexpr std::uint64_t kBatchTokens = 512;  ///< of a prompt that is computed at once
constexpr std::uint64_t kRowsOfHidden = 8;   ///< hidden states, queries, outputs that live together

std::uint64_t count(std::int64_t value) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value));
}

void add_layer(MemoryNeed& need, const MoeConfig& config, MixerKind kind) {
    const AttentionConfig& attention = config.attention;
    const DeltaNetConfig& delta = config.delta_net;
    switch (kind) {
        case MixerKind::LatentAttention:
            need.cache_per_token +=
                kFloat * (count(attention.latent.rank) + count(attention.latent.rope_dim));
            return;
        case MixerKind::DeltaNet:
            need.cache_fixed += kFloat * (count(delta.kernel - 1) * count(delta.channels()) +
                                          count(delta.num_value_heads) * count(delta.key_dim) *
                                              count(delta.value_dim));
            return;
        case MixerKind::ShortConvolution:
            need.cache_fixed +=
                kFloat * count(config.short_convolution.kernel - 1) * count(config.hidden_size);
            return;
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            break;
    }
    // Keys and values; those beyond a sliding window are kept too.
    need.cache_per_token += 2 * kFloat * count(attention.num_kv_heads) * count(attention.head_dim);
}

}  // namespace

MemoryNeed memory_need(const MoeConfig& config) {
    MemoryNeed need;
    for (const LayerConfig& layer : config.layers) add_layer(need, config, layer.mixer);
    const std::uint64_t width =
        std::max(count(config.intermediate_size),
                 count(config.moe_intermediate_size) * count(config.router.top_k));
    need.buffers =
        kFloat * (kBatchTokens * (kRowsOfHidden * count(config.hidden_size) + 3 * width) +
                  count(config.vocab_size));
    return need;
}

}  // namespace espalier
