#pragma once

#include <span>

#include "infer/compute.h"

namespace espalier {

/// out[t, c] = sum over j of taps[j, c] * x[t - kernel + 1 + j, c], each channel by itself: a token
/// sees itself and the kernel - 1 before it.
struct CausalConvolution {
    std::span<const float> taps;  ///< [kernel, channels]
    std::size_t channels = 0;

    /// `history` has the rows of x before these, [kernel - 1, channels], zeros before the start,
    /// and gets those before the next call. x and out: [tokens, channels], not the same.
    void run(const Compute& compute, std::span<const float> x, std::span<float> history,
             std::span<float> out) const;
};

}  // namespace espalier
