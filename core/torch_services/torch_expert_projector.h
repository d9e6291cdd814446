#pragma once

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "data/dataset.h"
#include "eval/expert_projector.h"
#include "model/model_source.h"

namespace espalier {

struct ExpertProjectorOptions {
    /// As in MaskProbeOptions.
    double unscored_share = 0.25;
    /// Drawn for each token; they stand for the spread of its predictions.
    std::int64_t labels = 1;
    std::uint64_t seed = 0;  ///< of the labels
};

/// A forward pass under the mask and a backward pass, one layer in memory at a time; hidden states
/// between the layers are kept. Keeps `model` and `pool` by reference.
std::unique_ptr<ExpertProjector> make_expert_projector(const ModelSource& model,
                                                       TokenWindows windows,
                                                       const ExpertProjectorOptions& options,
                                                       ThreadPool& pool);

}  // namespace espalier
