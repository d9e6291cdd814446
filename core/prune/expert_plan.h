#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/expert_mask.h"
#include "model/moe_config.h"

namespace espalier {

struct LayerPlan {
    std::vector<std::int32_t> kept;        ///< original ids, ascending
    std::vector<std::int32_t> locked;      ///< must stay
    std::vector<std::int32_t> forced_out;  ///< must go
    bool operator==(const LayerPlan&) const = default;
};

/// Which experts stay. Small enough to mail; applied as a mask or for good.
struct ExpertPlan {
    std::string model_hash;
    std::string stats_hash;
    std::string criterion;
    std::map<std::int64_t, LayerPlan> layers;  ///< by absolute layer index; routed layers only
    Json reasons = Json::object();
    std::vector<std::string> accept;           ///< warnings that the user has taken on, e.g. "low_task_mass"
    bool operator==(const ExpertPlan&) const = default;

    /// For an uncut model of this config. @throws Error RunRecipe if the plan does not fit it
    ExpertMask mask(const MoeConfig& config) const;
};

Json to_json(const ExpertPlan& plan);
/// @throws Error FileMalformed naming the field
ExpertPlan expert_plan_from_json(const Json& json, std::string_view source);
void save_expert_plan(const ExpertPlan& plan, const std::filesystem::path& path);
ExpertPlan load_expert_plan(const std::filesystem::path& path);

}  // namespace espalier
