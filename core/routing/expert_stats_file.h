#pragma once

#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "routing/expert_stats.h"

namespace espalier {

inline constexpr int kExpertStatsVersion = 1;
inline constexpr std::string_view kExpertStatsKind = "expert_stats";
inline constexpr std::string_view kExpertVectorsKind = "expert_vectors";
inline constexpr std::string_view kExpertContextsKind = "expert_contexts";

inline std::string stat_tensor_name(std::string_view statistic, std::int64_t layer) {
    return fmt::format("{}.{}", statistic, layer);
}

inline std::string stat_tensor_name(std::string_view statistic, std::string_view task,
                                    std::int64_t layer) {
    return fmt::format("{}.{}.{}", statistic, task, layer);
}

inline std::filesystem::path vectors_path(const std::filesystem::path& stats_path) {
    return stats_path.parent_path() / (stats_path.stem().string() + ".vectors.safetensors");
}

inline std::filesystem::path contexts_path(const std::filesystem::path& stats_path) {
    return stats_path.parent_path() / (stats_path.stem().string() + ".contexts.json");
}

/// Writes the texts beside the statistics, or removes what stands there if there are none.
void save_expert_contexts(const ExpertStats& stats, const std::filesystem::path& path);

}  // namespace espalier
