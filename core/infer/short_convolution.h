#pragma once

#include <span>

#include "infer/activations.h"
#include "infer/compute.h"
#include "infer/layer_cache.h"
#include "infer/mixer_inputs.h"
#include "infer/scratch.h"
#include "infer/weights.h"

namespace espalier {

/// LFM2's mixer: [B | C | x] = in(.), then out(C * convolution(B * x)).
class ShortConvolution {
public:
    /// `state` holds the last rows of B * x. out: [tokens, hidden].
    void forward(const Compute& compute, const ShortConvolutionWeights& weights,
                 RecurrentState& state, const MixerInputs& inputs, std::span<float> out);

private:
    Scratch<float> parts_;  ///< [tokens, B | C | x]
    Scratch<float> gated_;  ///< [tokens, hidden]; B * x
    Scratch<float> mixed_;  ///< [tokens, hidden]
    Activations mixed_rows_;
};

}  // namespace espalier
