#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/expert_mask.h"
#include "model/moe_config.h"

namespace espalier {

struct LayerPlan {
    std::vector<std::int32_t> kept;        ///< ascending
    std::vector<std::int32_t> locked;      ///< must stay
    std::vector<std::int32_t> forced_out;  ///< must go
    /// Of a plan that merges: [survivor, member, …]. The survivor is one of `kept`, its members are
    /// none and become part of it; ascending by survivor. One that stays as it is has no group.
    std::vector<std::vector<std::int32_t>> groups = {};
    /// What multiplies the sum of the layer's experts, above 0 and up to 1; see lost_mass.h.
    double output_scale = 1.0;
    bool operator==(const LayerPlan&) const = default;
};

/// Which experts stay. Small enough to mail; applied as a mask or for good. Ids are those of the
/// model whose hash it carries: original ids for an uncut model.
struct ExpertPlan {
    std::string model_hash;
    std::string stats_hash;
    std::string criterion;
    std::string merge = {};  ///< how experts were grouped, see merge_methods.h; empty: none were
    std::map<std::int64_t, LayerPlan> layers;  ///< by absolute layer index; routed layers only
    /// Why: `layers` (per layer, see explain_plan.h), `task_mass`, `warnings`: [{code, text}].
    Json reasons = Json::object();
    std::vector<std::string> accept;  ///< warnings that the user has taken on, e.g. "low_task_mass"
    bool operator==(const ExpertPlan&) const = default;

    /// Whether any experts become one: a mask cannot show that, and writing needs statistics.
    bool merges() const noexcept;
    /// Whether any layer's output_scale is not 1.
    bool scales_outputs() const noexcept;
    /// @throws Error RunRecipe if the plan does not fit the config, which must have the numbering
    /// of the plan, or leaves a layer fewer than top_k experts
    void require_fits(const MoeConfig& config) const;
    /// Routed layers that the plan does not list stay whole. @throws Error RunRecipe as
    /// require_fits(), and for a plan that merges
    ExpertMask mask(const MoeConfig& config) const;
};

Json to_json(const ExpertPlan& plan);
/// A layer without "layer" takes its position in the list.
/// @throws Error FileMalformed naming the field
ExpertPlan expert_plan_from_json(const Json& json, std::string_view source);
void save_expert_plan(const ExpertPlan& plan, const std::filesystem::path& path);
ExpertPlan load_expert_plan(const std::filesystem::path& path);

}  // namespace espalier
