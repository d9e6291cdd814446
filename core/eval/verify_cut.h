#pragma once

#include <cstdint>
#include <stop_token>

#include "base/thread_pool.h"
#include "model/expert_mask.h"
#include "model/model_source.h"

namespace espalier {

struct CutToVerify {
    const ModelSource& model;
    const ExpertMask& mask;  ///< of what was removed
    const ModelSource& cut;  ///< as it was written and opened again
    ThreadPool& pool;
    std::int64_t tokens = 256;
    double tolerance = 1e-3;  ///< of logits
};

/// Runs the model under the mask and the one that was written without those experts, on tokens of
/// no meaning, layer by layer. Both compute the same products: what differs is rounding.
/// @return the largest difference of their logits
/// @throws Error VerifyFailed if that is more than the tolerance; Cancelled
double verify_cut(const CutToVerify& verify, std::stop_token stop = {});

}  // namespace espalier
