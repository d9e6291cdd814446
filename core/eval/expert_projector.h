#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <vector>

#include "model/expert_mask.h"

namespace espalier {

/// A routed layer's experts as seen by the predictions: what each would add to the cost and to the
/// sampled loss of a token, to first order, with the weight 1.
struct ProjectedLayer {
    std::vector<float> logits;          ///< of the router, none masked, [tokens, experts]
    std::vector<float> selection_bias;  ///< [experts], or empty
    std::vector<float> cost;            ///< output times the cost's gradient, [tokens, experts]
    std::vector<float> sampled;         ///< output times each sampled loss' gradient,
                                        ///< [tokens, experts, labels]
};

/// The cost is the KL divergence from the whole model, summed over `scored` tokens; a sampled loss
/// the log loss of a label drawn from the predictions. The mean square of its gradient is the
/// Fisher information, the curvature of a KL divergence.
struct ProjectedExperts {
    std::map<std::int64_t, ProjectedLayer> layers;
    std::int64_t num_labels = 1;
    std::int64_t scored = 0;
};

/// Projects all experts of all layers for the price of a few forward passes.
class ExpertProjector {
public:
    virtual ~ExpertProjector() = default;
    /// Gradients are those under the mask.
    /// @param windows indices into the windows that the projector was made with
    /// @param temperature of the predictions that labels are drawn from. At 1 what moves confident
    /// predictions costs next to nothing, as far as the second order sees: right for a change of an
    /// expert or two. Where many go, they move far beyond it: 2 tells better which.
    /// @throws Error NumberInvalid, MemoryExceeded; Cancelled
    virtual ProjectedExperts project(const ExpertMask& mask, std::span<const std::size_t> windows,
                                     double temperature, std::stop_token stop) = 0;
};

}  // namespace espalier
