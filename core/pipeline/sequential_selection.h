#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"
#include "routing/expert_stats.h"

namespace espalier {

struct SequentialInput {
    const ModelSource& model;
    const ExpertStats& stats;      ///< of the whole model, with vectors where it merges
    SelectOptions options;         ///< within layers
    std::vector<DataSource> data;  ///< that it was calibrated on
    std::string probe_file = {};   ///< that calibration kept out, if it was a file
    std::filesystem::path out;     ///< of the new statistics
    std::size_t num_threads = 0;
    std::uint64_t memory_budget = 0;
    std::function<void(double fraction, const std::string& text)> progress = {};
};

struct SequentialSelection {
    ExpertPlan plan;
    ExpertStats stats;  ///< that it was made from, with vectors
};

/// Chooses layer by layer: each is measured behind those that are cut or merged already, as in
/// REAM (Merging Improves Pruning of Mixture-of-Experts, arXiv 2604.04356). Calibrates once more,
/// as the statistics were; each routed layer runs twice, as it is and as it becomes. Super experts
/// are those of the whole model's statistics. A call that was cut off goes on after its last
/// finished layer, from what lies beside `out`.
/// @throws Error RunRecipe for options that need more than one layer, or constants; as
/// select_experts(), require_mergeable() and calibrate(); Cancelled
SequentialSelection select_sequentially(const SequentialInput& input, std::stop_token stop = {});

/// What would be refused before any work. @throws Error RunRecipe
void require_sequential(const SelectOptions& options);

}  // namespace espalier
