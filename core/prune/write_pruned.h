#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "model/model_source.h"
#include "prune/expert_plan.h"

namespace espalier {

struct PruneReport {
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
    std::int64_t experts_before = 0;
    std::int64_t experts_after = 0;
    std::vector<std::string> dropped_tensors;  ///< e.g. multi-token-prediction blocks, told to the user
};

struct PruneWrite {
    const ModelSource& model;
    const ExpertPlan& plan;
    std::filesystem::path out;
    Json lineage;  ///< what espalier.json records of this stage
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress;
    std::stop_token stop;
};

/// Writes the model without those experts, in ascending original order, layer by layer: router rows are
/// sliced, expert tensors renamed, everything else copied byte for byte, the expert count of the config
/// updated and espalier.json written. The folder appears under its name when it is whole.
PruneReport write_pruned(const PruneWrite& request);

}  // namespace espalier
