#include "nn/block.h"

#include "nn/attention.h"
#include "nn/delta_net.h"
#include "nn/feed_forward.h"
#include "nn/latent_attention.h"
#include "nn/norms.h"
#include "nn/short_convolution.h"

namespace espalier {
namespace {

torch::Tensor mix(const BlockContext& context, const torch::Tensor& rows) {
    switch (context.layer_config().mixer) {
        case MixerKind::FullAttention:
        case MixerKind::SlidingAttention:
            return attention(context, rows);
        case MixerKind::LatentAttention:
            return latent_attention(context, rows);
        case MixerKind::DeltaNet:
            return delta_net(context, rows);
        case MixerKind::ShortConvolution:
            return short_convolution(context, rows);
    }
    TORCH_INTERNAL_ASSERT(false);
}

}  // namespace

torch::Tensor run_block(const BlockContext& context, const torch::Tensor& hidden) {
    const double epsilon = context.config.rms_norm_eps;
    const double multiplier = context.config.residual_multiplier;
    const LayerTensors& weights = context.weights;
    const torch::Tensor mixed = mix(context, rms_norm(hidden, weights.mixer_norm, epsilon));
    if (context.tap != nullptr) context.tap->on_mixer_output(mixed);
    const torch::Tensor between = torch::add(hidden, mixed, multiplier);
    if (context.tap != nullptr) context.tap->on_residual(between.contiguous());
    const torch::Tensor out =
        feed_forward(context, rms_norm(between, weights.feed_forward_norm, epsilon));
    if (context.tap != nullptr) context.tap->on_feed_forward_output(out);
    return torch::add(between, out, multiplier);
}

}  // namespace espalier
