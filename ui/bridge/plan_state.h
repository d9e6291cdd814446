#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "prune/expert_plan.h"
#include "prune/select_experts.h"

namespace espalier::ui {

/// How experts are chosen; what the controls of the plan say.
struct PlanSettings {
    std::string criterion = "reap";
    std::int64_t keep = 0;  ///< experts of each layer, or on the mean of all
    SelectScope scope = SelectScope::Layers;
    bool isUniform = true;       ///< Across: smaller layers are filled up to the largest
    std::int64_t champions = 0;  ///< of each task and layer that stay whatever their score
    bool protectsSuperExperts = true;
    /// Takes back what gates grow by when others go; see prune/lost_mass.h.
    bool compensatesLostMass = false;
    std::string merge = {};  ///< how those that go are merged into those that stay; empty: not
    std::map<std::string, double> taskWeights = {};  ///< by label; empty: all tokens together
    TaskMix taskMix = TaskMix::Sum;
    bool operator==(const PlanSettings&) const = default;
};

/// Experts by layer, ascending.
using ExpertCells = std::map<std::int64_t, std::vector<std::int32_t>>;

/// A plan as it is being made. Copies share the layers that an edit leaves alone, so that a history
/// of a thousand of them is small.
struct PlanState {
    PlanSettings settings;
    /// What chose: a criterion, "auto" for the search by measurement, "diff" for a comparison.
    std::string chooser;
    std::map<std::int64_t, std::shared_ptr<const LayerPlan>> layers;
    std::shared_ptr<const Json> reasons;  ///< of the choice, before edits by hand
    std::string merge = {};               ///< how its groups were made; empty: there are none

    bool isEmpty() const { return layers.empty(); }
    bool keeps(std::int64_t layer, std::int32_t expert) const;
    std::int64_t numKept(std::int64_t layer) const;
    std::int64_t totalKept() const;
    /// The survivor that takes the expert in; none if it stays or goes altogether.
    std::optional<std::int32_t> mergedInto(std::int64_t layer, std::int32_t expert) const;
    bool merges() const;
    /// Constants stand in place of the experts that go.
    bool replaces() const;
    bool operator==(const PlanState& other) const;
};

/// True if both make the same model of one, however they came to be.
bool doTheSame(const PlanState& a, const PlanState& b);

/// Options with which select_experts() makes the choice that `settings` ask for, around what the
/// user has locked and forced out.
SelectOptions selectOptions(const PlanSettings& settings, const PlanState& current,
                            std::int64_t numExperts);
PlanState stateOf(const ExpertPlan& plan, const PlanSettings& settings);
/// Without hashes; reasons are those of the choice.
ExpertPlan planOf(const PlanState& state);

/// "+12 −9 experts, layers 3, 17, 31".
struct PlanDifference {
    std::int64_t added = 0;  ///< kept by the second alone
    std::int64_t removed = 0;
    std::vector<std::int64_t> layers;
};
PlanDifference differenceOf(const PlanState& from, const PlanState& to);

}  // namespace espalier::ui
