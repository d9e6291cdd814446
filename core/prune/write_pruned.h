#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/model_source.h"
#include "prune/channel_plan.h"
#include "prune/expert_constants.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What a pruned model may be written as.
enum class PruneFormat {
    Common,  ///< the family's own config, which every program reads
    Native,  ///< config_native.h where the plan needs it, which Espalier alone reads
};

struct PruneReport {
    std::uint64_t bytes_before = 0;  ///< of tensors
    std::uint64_t bytes_after = 0;
    std::int64_t experts_before = 0;
    std::int64_t experts_after = 0;      ///< of the layer that keeps most
    std::int64_t experts_after_min = 0;  ///< of the one that keeps least
    std::int64_t constants = 0;          ///< experts of all layers that became constants
    bool is_native = false;              ///< no other program reads the result
    std::int64_t width_before = 0;       ///< channels of an expert
    std::int64_t width_after = 0;
    std::vector<std::string>
        dropped_tensors;  ///< e.g. multi-token-prediction blocks, told to the user
};

struct PruneWrite {
    const ModelSource& model;
    const ExpertPlan& plan;
    std::filesystem::path out;
    Json lineage;  ///< what espalier.json records of this stage
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress = {};
    std::stop_token stop = {};
    const ChannelPlan* channels = nullptr;  ///< which channels of the experts stay; null = all
    /// For a plan that merges: of this model, with the vectors that `profiles` gathers.
    const ExpertStats* stats = nullptr;
    std::size_t num_threads = 1;  ///< for aligning neurons; changes no bytes
    PruneFormat format = PruneFormat::Common;
    const ExpertConstants* constants = nullptr;  ///< for a plan that replaces experts
};

/// Writes the model without those experts, in ascending original order, tensor by tensor: router
/// rows are sliced, expert tensors renamed or sliced, everything else copied byte for byte, the
/// expert count of the config updated. A hub folder gives a hub folder with espalier.json beside
/// config.json, a GGUF file a GGUF file with `espalier.` keys; quantised blocks stay as they are.
/// Where the plan merges experts, their means stand in place of the survivors, in the type of the
/// file (merge_experts.h). A plan that keeps different numbers in different layers, or replaces
/// experts, becomes a native folder where the format allows it. The expert map of a model that was
/// cut before is followed back to the original ids. The result appears under its name when it is
/// whole.
/// @throws Error RunRecipe if the plan does not fit the model, needs a native folder that is not
/// allowed, has a warning that must be accepted or merges without statistics; GgufInexpressible for
/// a native result of a file; FileUnsupported for quantised experts that are to be merged;
/// FileExists, DiskFull; Cancelled
PruneReport write_pruned(const PruneWrite& request);

/// True if the plan keeps different numbers in different layers or replaces experts.
bool needs_native(const ExpertPlan& plan, const MoeConfig& config);

/// What must hold before weights are touched: every routed layer keeps the same number (unless a
/// native result is allowed), at least top_k, and a task whose mass falls below 60 %
/// (reasons.task_mass) is accepted as "low_task_mass".
/// @throws Error RunRecipe
void require_writable(const ExpertPlan& plan, const MoeConfig& config,
                      PruneFormat format = PruneFormat::Common);

}  // namespace espalier
