#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <vector>

#include "model/expert_mask.h"

namespace espalier {

/// What a flip of one expert would change in the mean KL divergence, nats a token: its removal if
/// it stays, its return if it is gone, everything else left as it is.
struct FlipEstimate {
    double first = 0;   ///< the slope along the change
    double second = 0;  ///< the curvature's part, never negative
    double change() const noexcept { return first + second; }
};

/// [routed layer][expert]; infinite where a removal would leave fewer than top_k.
using FlipEstimates = std::map<std::int64_t, std::vector<FlipEstimate>>;

/// Estimates all flips of all layers at once, for the price of a few forward passes.
class FlipEstimator {
public:
    virtual ~FlipEstimator() = default;
    /// @param windows indices into the windows that the estimator was made with
    /// @throws Error NumberInvalid, MemoryExceeded; Cancelled
    virtual FlipEstimates estimate(const ExpertMask& mask, std::span<const std::size_t> windows,
                                   std::stop_token stop) = 0;
};

}  // namespace espalier
