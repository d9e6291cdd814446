#include "calib/worker_memory.h"

#include <algorithm>

namespace espalier {
namespace {

/// A block of weights that products turn before use.
constexpr std::int64_t kPackedFloats = 256 * 1024;

/// Queries of one head that meet keys together, and their scores as bfloat16.
constexpr std::int64_t kBlockQueries = 96;

/// Projected heads of one window, its keys and values once more in the cache, scores of a block,
/// and what is mixed, also rounded.
std::int64_t attention_floats(const AttentionConfig& config, const TokenExtent& extent) {
    const std::int64_t queries = config.num_heads * (config.has_output_gate ? 2 : 1);
    const std::int64_t heads =
        (queries + 4 * config.num_kv_heads + 2 * config.num_heads) * config.head_dim;
    const std::int64_t group = config.num_heads / std::max<std::int64_t>(1, config.num_kv_heads);
    // Half of the heads and of the cache once more, as bfloat16.
    return extent.window * (3 * heads / 2 + kBlockQueries * group);
}

/// Compressed rows of one window and what is made of them; one head expanded.
std::int64_t latent_floats(const AttentionConfig& config, const TokenExtent& extent) {
    const LatentConfig& sizes = config.latent;
    const std::int64_t rows = 2 * sizes.query_rank + 5 * (sizes.rank + sizes.rope_dim);
    const std::int64_t key = sizes.nope_dim + sizes.rope_dim;
    const std::int64_t heads = config.num_heads * (2 * key + 2 * sizes.value_dim + 2 * sizes.rank);
    return extent.window * (rows + heads + key + sizes.value_dim + kBlockQueries);
}

/// Channels of one window before and after the convolution, z, factors, and mixed values.
std::int64_t delta_net_floats(const DeltaNetConfig& config, const TokenExtent& extent) {
    const std::int64_t values = config.num_value_heads * config.value_dim;
    const std::int64_t state = config.kernel * config.channels() + values * config.key_dim;
    return extent.window * (2 * config.channels() + 3 * values + 4 * config.num_value_heads) +
           state;
}

std::int64_t mixer_floats(const MoeConfig& config, MixerKind kind, const TokenExtent& extent) {
    switch (kind) {
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            return attention_floats(config.attention, extent);
        case MixerKind::LatentAttention:
            return latent_floats(config.attention, extent);
        case MixerKind::DeltaNet:
            return delta_net_floats(config.delta_net, extent);
        case MixerKind::ShortConvolution:
            return 7 * config.hidden_size * extent.window;
    }
    return 0;
}

/// What optional statistics hold beside that, and their sums in float64.
std::int64_t optional_floats(const MoeConfig& config, const StatChoice& stats,
                             const TokenExtent& extent) {
    const std::int64_t experts = config.router.num_experts;
    const std::int64_t samples = kProfileSamples;
    std::int64_t floats = 0;
    if (stats.has(OptionalStat::CoactGram)) floats += 4 * experts * experts;
    if (stats.has(OptionalStat::CoactGram) || stats.has(OptionalStat::Substitution)) {
        floats += extent.batch * (config.router.top_k + 1) * config.hidden_size;
    }
    if (stats.has(OptionalStat::Channels)) floats += 12 * experts * config.moe_intermediate_size;
    if (stats.has(OptionalStat::Profiles)) {
        floats += 4 * (samples * (experts + config.hidden_size) + experts * config.hidden_size);
    }
    return floats;
}

}  // namespace

TokenExtent extent_of(const TokenWindows& windows, std::span<const MicroBatch> batches) {
    TokenExtent extent;
    for (const MicroBatch& batch : batches) {
        extent.batch = std::max(extent.batch, batch.num_tokens);
    }
    for (const auto& window : windows.windows) {
        extent.window = std::max(extent.window, static_cast<std::int64_t>(window.size()));
    }
    return extent;
}

TokenExtent extent_of(std::int64_t context) {
    return {.batch = std::max(context, kMicroBatchTokens), .window = context};
}

std::uint64_t worker_bytes(const MoeConfig& config, const TokenExtent& extent,
                           const StatChoice& stats) {
    std::int64_t mixer = 0;
    for (const LayerConfig& layer : config.layers) {
        mixer = std::max(mixer, mixer_floats(config, layer.mixer, extent));
    }
    // One expert that takes every token, or a dense or shared one: gate, up and the rounded
    // activation, what it gives, and logits, scores and choices of the router.
    const std::int64_t width = std::max(
        {config.moe_intermediate_size, config.intermediate_size, config.shared_expert.width});
    const std::int64_t feed_forward =
        extent.batch *
        (config.hidden_size + 3 * width + 3 * config.router.num_experts + 6 * config.router.top_k);
    // The residual stream, normalised, rounded, and what is added to it.
    const std::int64_t streams = 4 * extent.batch * config.hidden_size;
    // In float64, of the batch and of the wave.
    const std::int64_t sums =
        4 * config.router.num_experts * (2 * config.hidden_size + config.moe_intermediate_size);
    // Vectors that products turn before use, in pairs of bfloat16.
    const std::int64_t packed = kPackedFloats + 512 * extent.batch;
    return sizeof(float) *
           static_cast<std::uint64_t>(streams + mixer + feed_forward + sums +
                                      optional_floats(config, stats, extent) + packed);
}

}  // namespace espalier
