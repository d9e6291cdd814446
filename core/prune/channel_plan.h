#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/moe_config.h"
#include "prune/select_experts.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Which hidden channels of the experts stay: rows of gate and up, columns of down. Every expert
/// stays routable, and keeps as many channels as any other; "micro-experts", arXiv:2508.02322.
/// Channels and experts are numbered as in the model whose hash it carries.
struct ChannelPlan {
    std::string model_hash;
    std::string stats_hash;
    std::int64_t width = 0;  ///< of an expert
    std::int64_t kept = 0;   ///< of that
    /// [experts][kept], ascending, by absolute index of a routed layer; all of them
    std::map<std::int64_t, std::vector<std::vector<std::int32_t>>> layers;
    /// `layers`: [{layer, energy_kept}], the share of the channels' energy that stays
    Json reasons = Json::object();
    bool operator==(const ChannelPlan&) const = default;
};

struct ChannelOptions {
    KeepTarget keep;  ///< of an expert's channels
    /// The number that stays is a multiple of this: blocks of quantised files are 32 channels, of
    /// K-quants 256.
    std::int64_t multiple = 32;
    double rho = 1.0;  ///< see channel_scores()
};

/// The channels with the most energy of each expert; of equals the lower.
/// @throws Error RunRecipe if the number is no multiple (it names the nearest), or the energies
/// were not gathered
ChannelPlan select_channels(const ExpertStats& stats, const MoeConfig& config,
                            const ChannelOptions& options);

/// JSON {version, unit: "channels", model_hash, stats_hash, width, kept, layers: [{layer, experts:
/// [a hexadecimal digit for each four channels, the lowest bit the first]}], reasons}.
Json to_json(const ChannelPlan& plan);
/// @throws Error FileMalformed naming what is wrong
ChannelPlan channel_plan_from_json(const Json& json, std::string_view source);
void save_channel_plan(const ChannelPlan& plan, const std::filesystem::path& path);
ChannelPlan load_channel_plan(const std::filesystem::path& path);

/// @throws Error RunRecipe if the plan is of other layers, experts or widths than the model
void require_fits(const ChannelPlan& plan, const MoeConfig& config);

}  // namespace espalier
