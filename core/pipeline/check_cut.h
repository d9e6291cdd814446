#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>

#include "base/json.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"

namespace espalier {

struct CutToCheck {
    const ModelSource& model;
    const ExpertPlan& plan;
    std::filesystem::path out;  ///< what was written
    std::size_t num_threads = 0;
};

/// Opens a pruned model and holds it to the original under the plan's mask. A mask cannot stand for
/// experts that were merged or became constants: such a plan is not checked.
/// @return {"largest_logit_difference"}, or an empty object @throws Error VerifyFailed; Cancelled
Json check_cut(const CutToCheck& cut, std::stop_token stop = {});

}  // namespace espalier
