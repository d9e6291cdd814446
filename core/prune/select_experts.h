#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/moe_config.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// How much stays: a share ("0.5": floor(N*(1-r) + 1e-9) experts go) or a count ("16").
struct KeepTarget {
    std::optional<double> ratio;
    std::optional<std::int64_t> experts;
    /// @throws Error UsageInvalid
    static KeepTarget parse(std::string_view text);
    /// @throws Error RunRecipe if more should stay than there are, or none
    std::int64_t kept_of(std::int64_t num_experts) const;
    bool operator==(const KeepTarget&) const = default;
};

enum class SelectScope {
    Layers,  ///< the same number in every layer
    Across,  ///< the same number on the mean: layers in which experts cost less lose more
};

/// How the tasks of the statistics come together.
enum class TaskMix {
    Sum,     ///< weighted ranks, or all tokens together where no weight is given
    MaxMin,  ///< the task that keeps least keeps as much as possible
};

/// "layers", "across"; "sum", "max-min". @throws Error UsageInvalid
SelectScope parse_scope(std::string_view text);
TaskMix parse_task_mix(std::string_view text);
/// "code=2,chat=1"; empty text: no weights. @throws Error UsageInvalid
std::map<std::string, double> parse_task_weights(std::string_view text);
/// "3:5,17": experts 5 and 17 of layer 3. @throws Error UsageInvalid
std::pair<std::int64_t, std::vector<std::int32_t>> parse_layer_experts(std::string_view text);

struct SelectOptions {
    std::string criterion = "reap";
    KeepTarget keep;
    std::uint64_t seed = 0;
    bool protects_super_experts = true;
    /// Those of the last quarter of the layers too.
    bool protects_outliers = false;
    /// Of the experts of a layer, for each task label: its best ones stay. Counts where there are
    /// several labels; rounded to whole experts.
    double champion_share = 0.03;
    std::vector<std::string> accept;           ///< goes into the plan
    std::map<std::int64_t, LayerPlan> wishes;  ///< the user's `locked` and `forced_out` by layer
    SelectScope scope = SelectScope::Layers;
    std::int64_t lowest = 0;  ///< Across: what no layer goes below; 0: lowest_across()
    /// Across: smaller layers get their next best experts back, up to the largest layer's number.
    bool pads_to_uniform = false;
    std::map<std::string, double> task_weights;  ///< by label; those not named weigh nothing
    TaskMix task_mix = TaskMix::Sum;
    /// For a pairwise criterion: the sum of gated norms stands in place of each expert's own
    /// energy.
    bool has_reap_diagonal = false;
    /// Takes back what gates grow by when others go; see lost_mass.h.
    bool compensates_lost_mass = false;
    /// See merge_methods.h: experts that go become part of some that stay; empty: they are removed.
    std::string merge = {};
};

/// Same number in every layer (unless the scope is Across) and in every group of a grouped router,
/// best scores stay; ties go
/// to the higher count, then to the lower index. Locked experts, super experts and task champions
/// stay whatever their score; the random control protects locked ones alone. The plan's reasons say
/// why, with warnings. With a way of merging the plan has groups; super and locked experts take no
/// others in, and those forced out are merged into none.
/// @throws Error RunRecipe if fewer than top_k would stay, a routed layer has no statistics or saw
/// no token, or the wishes cannot be met; NumberInvalid for a score that is not finite
ExpertPlan select_experts(const ExpertStats& stats, const MoeConfig& config,
                          const SelectOptions& options);

/// Experts whose largest activation stands out, by layer (arXiv:2507.23279): above
/// max(99.5th percentile over all, a tenth of the maximum), in the first 75 % of the layers or in
/// all of them.
std::vector<std::pair<std::int64_t, std::int32_t>> super_experts(const ExpertStats& stats,
                                                                 bool of_all_layers = false);
/// What the options protect of them.
std::vector<std::pair<std::int64_t, std::int32_t>> protected_super_experts(
    const ExpertStats& stats, const SelectOptions& options);

}  // namespace espalier
