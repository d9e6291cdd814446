#include "calib/worker_memory.h"

#include <algorithm>

namespace espalier {
namespace {

/// Tokens that are in memory together.
struct Extent {
    std::int64_t batch = 1;   ///< in a micro-batch
    std::int64_t window = 1;  ///< in its longest window
};

Extent extent_of(const TokenWindows& windows, std::span<const MicroBatch> batches) {
    Extent extent;
    for (const MicroBatch& batch : batches) {
        extent.batch = std::max(extent.batch, batch.num_tokens);
    }
    for (const auto& window : windows.windows) {
        extent.window = std::max(extent.window, static_cast<std::int64_t>(window.size()));
    }
    return extent;
}

/// Four copies of a block of scores: products, with sinks beside them, and probabilities.
std::int64_t score_floats(const AttentionConfig& config, const Extent& extent) {
    return 4 * config.num_heads * 256 * extent.window;
}

/// Projected heads before and after norm and rotation, and the gate.
std::int64_t attention_floats(const AttentionConfig& config, const Extent& extent) {
    const std::int64_t queries = config.num_heads * (config.has_output_gate ? 2 : 1);
    const std::int64_t heads = (queries + 2 * config.num_kv_heads) * config.head_dim;
    return 3 * extent.batch * heads + score_floats(config, extent);
}

/// Compressed rows and outputs of the batch; heads of one window at a time.
std::int64_t latent_floats(const AttentionConfig& config, const Extent& extent) {
    const LatentConfig& sizes = config.latent;
    const std::int64_t rows = 2 * (sizes.query_rank + sizes.rank + sizes.rope_dim) +
                              2 * config.num_heads * sizes.value_dim;
    const std::int64_t key = sizes.nope_dim + sizes.rope_dim;
    const std::int64_t heads = config.num_heads * (7 * key + 3 * sizes.value_dim);
    return extent.batch * rows + extent.window * heads + score_floats(config, extent);
}

/// Channels and mixed values of the batch beside convolved channels and heads of one window and a
/// chunk of it; then z, and what it gates.
std::int64_t delta_net_floats(const DeltaNetConfig& config, const Extent& extent) {
    constexpr std::int64_t kChunk = 64;
    const std::int64_t values = config.num_value_heads * config.value_dim;
    const std::int64_t rows = config.channels() + values + 6 * config.num_value_heads;
    const std::int64_t of_window = 5 * config.channels() + 3 * values;
    const std::int64_t of_chunk =
        kChunk * (10 * kChunk + 4 * config.key_dim + 6 * config.value_dim) +
        4 * config.key_dim * config.value_dim;
    return extent.batch * rows +
           std::max(extent.window * of_window + of_chunk * config.num_value_heads,
                    extent.batch * 4 * values);
}

std::int64_t mixer_floats(const MoeConfig& config, MixerKind kind, const Extent& extent) {
    switch (kind) {
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            return attention_floats(config.attention, extent);
        case MixerKind::LatentAttention:
            return latent_floats(config.attention, extent);
        case MixerKind::DeltaNet:
            return delta_net_floats(config.delta_net, extent);
        case MixerKind::ShortConvolution:
            return 9 * config.hidden_size * extent.batch;
    }
    return 0;
}

/// What optional statistics hold beside that, and their sums in float64.
std::int64_t optional_floats(const MoeConfig& config, const StatChoice& stats,
                             const Extent& extent) {
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

std::uint64_t worker_bytes(const MoeConfig& config, const TokenWindows& windows,
                           std::span<const MicroBatch> batches, const StatChoice& stats) {
    const Extent extent = extent_of(windows, batches);
    std::int64_t mixer = 0;
    for (const LayerConfig& layer : config.layers) {
        mixer = std::max(mixer, mixer_floats(config, layer.mixer, extent));
    }
    // One expert that takes every token, or a dense or shared one.
    const std::int64_t width = std::max(
        {config.moe_intermediate_size, config.intermediate_size, config.shared_expert.width});
    const std::int64_t feed_forward =
        extent.batch * (4 * config.hidden_size + 6 * width + 4 * config.router.num_experts);
    // The residual stream before, between and after, with its norms, and what is added to it.
    const std::int64_t streams = 6 * extent.batch * config.hidden_size;
    // In float64, of the batch and of the wave.
    const std::int64_t sums =
        4 * config.router.num_experts * (2 * config.hidden_size + config.moe_intermediate_size);
    return sizeof(float) *
           static_cast<std::uint64_t>(streams + std::max(mixer, feed_forward) + sums +
                                      optional_floats(config, stats, extent));
}

}  // namespace espalier
