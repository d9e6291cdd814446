#include "infer/short_convolution.h"

#include <algorithm>

#include "infer/causal_convolution.h"
#include "kernels/vector_ops.h"

namespace espalier {

void ShortConvolution::forward(const Compute& compute, const ShortConvolutionWeights& weights,
                               RecurrentState& state, const MixerInputs& inputs,
                               std::span<float> out) {
    const std::size_t num_tokens = inputs.x.num_rows();
    const std::size_t width = weights.in.view().rows / 3;
    inputs.show({TensorRole::ConvolutionIn}, inputs.x.values());
    const auto parts = parts_.take(num_tokens * 3 * width);
    linear(compute, weights.in.view(), inputs.x, parts);
    add_bias(weights.in_bias, parts);
    const auto part = [&](std::size_t token, std::size_t index) {
        return parts.subspan((3 * token + index) * width, width);
    };
    const auto gated = gated_.take(num_tokens * width);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        const auto row = gated.subspan(t * width, width);
        const auto x = part(t, 2);
        std::copy(x.begin(), x.end(), row.begin());
        kernels::multiply(part(t, 0), row);
    }
    const auto mixed = mixed_.take(num_tokens * width);
    CausalConvolution{weights.taps, width}.run(compute, gated,
                                               state.advance(inputs.position, num_tokens), mixed);
    add_bias(weights.bias, mixed);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        kernels::multiply(part(t, 1), mixed.subspan(t * width, width));
    }
    mixed_rows_.assign(compute, mixed, width);
    inputs.show({TensorRole::ConvolutionOut}, mixed);
    linear(compute, weights.out.view(), mixed_rows_, out);
    add_bias(weights.out_bias, out);
}

}  // namespace espalier
