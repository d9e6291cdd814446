#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/model_source.h"
#include "pipeline/recipe.h"

namespace espalier {

/// What one stage will cost, as far as the configs tell beforehand.
struct StageEstimate {
    std::string stage;
    std::uint64_t output_bytes = 0;   ///< what it leaves; of weights exact, of headers close
    std::uint64_t scratch_bytes = 0;  ///< on disk while it runs
    std::uint64_t peak_bytes = 0;     ///< of anonymous memory, rough
    double seconds = 0;               ///< rough: within a factor of three
};

struct PlanEstimate {
    std::vector<StageEstimate> stages;
    std::int64_t experts_before = 0;
    std::int64_t experts_after = 0;
    std::uint64_t original_bytes = 0;  ///< of tensors
    std::uint64_t result_bytes = 0;    ///< of the last model; the original's if none is written
    std::uint64_t disk_bytes = 0;      ///< most that lies on disk at once
    std::uint64_t peak_bytes = 0;      ///< largest of the stages
    double seconds = 0;                ///< sum of the stages
};

/// @param model the recipe's
/// @param num_threads 0 = physical cores
/// @throws Error if a config cannot be read or a file type does not suit the model
PlanEstimate estimate_plan(const Recipe& recipe, const ModelSource& model,
                           std::size_t num_threads = 0);

/// Fails before hours of work rather than after them. Stages before `first_stage` are on disk
/// already.
/// @throws Error DiskFull with what is needed and what is free
void require_disk_space(const PlanEstimate& estimate, std::size_t first_stage,
                        const std::filesystem::path& folder);

}  // namespace espalier
