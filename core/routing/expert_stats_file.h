#pragma once

#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace espalier {

inline constexpr int kExpertStatsVersion = 1;
inline constexpr std::string_view kExpertStatsKind = "expert_stats";
inline constexpr std::string_view kExpertVectorsKind = "expert_vectors";

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

}  // namespace espalier
