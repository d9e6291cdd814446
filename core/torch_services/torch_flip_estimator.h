#pragma once

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "data/dataset.h"
#include "model/model_source.h"
#include "pipeline/flip_estimator.h"

namespace espalier {

struct FlipEstimatorOptions {
    /// As in MaskProbeOptions.
    double unscored_share = 0.25;
    std::uint64_t seed = 0;  ///< of the labels that stand for the predictions' spread
};

/// Estimates flips by a forward pass under the mask and a backward pass, one layer in memory at a
/// time; hidden states between the layers are kept. Keeps `model` and `pool` by reference.
std::unique_ptr<FlipEstimator> make_flip_estimator(const ModelSource& model, TokenWindows windows,
                                                   const FlipEstimatorOptions& options,
                                                   ThreadPool& pool);

}  // namespace espalier
