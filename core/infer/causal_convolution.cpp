#include "infer/causal_convolution.h"

#include <algorithm>

#include "kernels/vector_ops.h"

namespace espalier {

void CausalConvolution::run(const Compute& compute, std::span<const float> x,
                            std::span<float> history, std::span<float> out) const {
    const std::size_t kernel = taps.size() / channels;
    const std::size_t num_tokens = x.size() / channels;
    const std::size_t num_before = kernel - 1;
    // Rows of history and x as one sequence.
    const auto row = [&](std::size_t index) -> std::span<const float> {
        if (index < num_before) return history.subspan(index * channels, channels);
        return x.subspan((index - num_before) * channels, channels);
    };
    compute.pool.parallel_for(num_tokens, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
            const auto to = out.subspan(t * channels, channels);
            std::fill(to.begin(), to.end(), 0.0F);
            for (std::size_t j = 0; j < kernel; ++j) {
                kernels::add_product(taps.subspan(j * channels, channels), row(t + j), to);
            }
        }
    });
    // Ascending, so that rows of a short batch move down before they are written over.
    for (std::size_t j = 0; j < num_before; ++j) {
        const auto from = row(num_tokens + j);
        std::copy(from.begin(), from.end(),
                  history.begin() + static_cast<std::ptrdiff_t>(j * channels));
    }
}

}  // namespace espalier
