#include "nn/causal_convolution.h"

namespace espalier {

torch::Tensor causal_convolution(const torch::Tensor& rows, const torch::Tensor& kernel) {
    const std::int64_t length = rows.size(0);
    const std::int64_t taps = kernel.size(1);
    const torch::Tensor padded = torch::constant_pad_nd(rows, {0, 0, taps - 1, 0});
    torch::Tensor sum = padded.narrow(0, 0, length) * kernel.select(1, 0);
    for (std::int64_t tap = 1; tap < taps; ++tap) {
        sum = sum.addcmul_(padded.narrow(0, tap, length), kernel.select(1, tap));
    }
    return sum;
}

}  // namespace espalier
