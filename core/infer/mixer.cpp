#include "infer/mixer.h"

#include <variant>

namespace espalier {

void Mixer::forward(const Compute& compute, const MixerWeights& weights, LayerCache& cache,
                    const MixerInputs& inputs, std::span<float> out) {
    if (const auto* attention = std::get_if<AttentionWeights>(&weights)) {
        attention_.forward(compute, *attention, std::get<KeyValueCache>(cache), inputs, out);
    } else if (const auto* latent = std::get_if<LatentWeights>(&weights)) {
        latent_.forward(compute, *latent, std::get<LatentCache>(cache), inputs, out);
    } else if (const auto* delta = std::get_if<DeltaNetWeights>(&weights)) {
        delta_net_.forward(compute, *delta, std::get<RecurrentState>(cache), inputs, out);
    } else {
        convolution_.forward(compute, std::get<ShortConvolutionWeights>(weights),
                             std::get<RecurrentState>(cache), inputs, out);
    }
}

}  // namespace espalier
