#include "nn/short_convolution.h"

#include "nn/causal_convolution.h"

namespace espalier {

torch::Tensor short_convolution(const BlockContext& context, const torch::Tensor& rows) {
    const ShortConvolutionTensors& weights = context.weights.convolution;
    const std::int64_t hidden = context.config.hidden_size;
    context.show_input({TensorRole::ConvolutionIn}, rows);
    const torch::Tensor parts = weights.in(rows);
    const torch::Tensor input = parts.narrow(1, 0, hidden) * parts.narrow(1, 2 * hidden, hidden);
    torch::Tensor mixed = context.sequences.mix_each([&](std::int64_t begin, std::int64_t length) {
        return causal_convolution(input.narrow(0, begin, length), weights.kernel);
    });
    if (weights.bias.defined()) mixed = mixed + weights.bias;
    mixed = parts.narrow(1, hidden, hidden) * mixed;
    context.show_input({TensorRole::ConvolutionOut}, mixed);
    return weights.out(mixed);
}

}  // namespace espalier
