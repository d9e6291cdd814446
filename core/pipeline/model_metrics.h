#pragma once

#include "base/json.h"
#include "model/moe_config.h"
#include "prune/expert_plan.h"
#include "prune/write_pruned.h"
#include "quant/write_gguf.h"

namespace espalier {

/// What a stage or a command that wrote a model says of it; flat names with numbers, for charts and
/// tables, and `dropped_tensors` as a list.
Json metrics_of(const PruneReport& report, const ExpertPlan& plan);
Json metrics_of(const QuantReport& report, const MoeConfig& config);

/// What a person should know of a plan, and of what a cut left out, as warnings of the log.
void log_warnings(const ExpertPlan& plan);
void log_warnings(const PruneReport& report);

}  // namespace espalier
