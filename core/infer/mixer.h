#pragma once

#include <span>

#include "infer/attention.h"
#include "infer/delta_net.h"
#include "infer/latent_attention.h"
#include "infer/short_convolution.h"

namespace espalier {

/// The part of a layer that mixes tokens, of whichever kind the layer has. Keeps scratch memory;
/// one object serves all layers.
class Mixer {
public:
    explicit Mixer(const MoeConfig& config)
        : attention_(config), latent_(config), delta_net_(config) {}

    /// out: [tokens, hidden], before it is added to the residual stream.
    /// @pre weights and cache are of the same layer, hence of the same kind
    void forward(const Compute& compute, const MixerWeights& weights, LayerCache& cache,
                 const MixerInputs& inputs, std::span<float> out);

private:
    Attention attention_;
    LatentAttention latent_;
    DeltaNet delta_net_;
    ShortConvolution convolution_;
};

}  // namespace espalier
