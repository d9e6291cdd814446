#include "ui/bridge/plan_state.h"

#include <algorithm>
#include <iterator>

#include "prune/expert_constants.h"

namespace espalier::ui {

bool PlanState::keeps(std::int64_t layer, std::int32_t expert) const {
    const auto found = layers.find(layer);
    if (found == layers.end()) return true;
    const auto& kept = found->second->kept;
    return std::binary_search(kept.begin(), kept.end(), expert);
}

std::int64_t PlanState::numKept(std::int64_t layer) const {
    return static_cast<std::int64_t>(layers.at(layer)->kept.size());
}

std::int64_t PlanState::totalKept() const {
    std::int64_t total = 0;
    for (const auto& [layer, plan] : layers) total += static_cast<std::int64_t>(plan->kept.size());
    return total;
}

std::optional<std::int32_t> PlanState::mergedInto(std::int64_t layer, std::int32_t expert) const {
    const auto found = layers.find(layer);
    if (found == layers.end()) return std::nullopt;
    for (const auto& group : found->second->groups) {
        if (!group.empty() && std::find(group.begin() + 1, group.end(), expert) != group.end())
            return group.front();
    }
    return std::nullopt;
}

bool PlanState::merges() const {
    return std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
        const auto& groups = layer.second->groups;
        return std::any_of(groups.begin(), groups.end(),
                           [](const auto& group) { return group.size() > 1; });
    });
}

bool PlanState::replaces() const {
    ExpertPlan plan;
    plan.criterion = chooser;
    return replaces_experts(plan);
}

bool doTheSame(const PlanState& a, const PlanState& b) {
    return a.replaces() == b.replaces() &&
           a.settings.compensatesLostMass == b.settings.compensatesLostMass &&
           std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                      [](const auto& x, const auto& y) {
                          return x.first == y.first &&
                                 (x.second == y.second || (x.second->kept == y.second->kept &&
                                                           x.second->groups == y.second->groups));
                      });
}

bool PlanState::operator==(const PlanState& other) const {
    return settings == other.settings && chooser == other.chooser && merge == other.merge &&
           std::equal(layers.begin(), layers.end(), other.layers.begin(), other.layers.end(),
                      [](const auto& a, const auto& b) {
                          return a.first == b.first &&
                                 (a.second == b.second || *a.second == *b.second);
                      });
}

SelectOptions selectOptions(const PlanSettings& settings, const PlanState& current,
                            std::int64_t numExperts) {
    SelectOptions options;
    options.criterion = settings.criterion;
    options.keep.experts = settings.keep;
    options.scope = settings.scope;
    options.pads_to_uniform = settings.scope == SelectScope::Across && settings.isUniform;
    options.protects_super_experts = settings.protectsSuperExperts;
    options.compensates_lost_mass = settings.compensatesLostMass;
    options.merge = settings.merge;
    options.task_weights = settings.taskWeights;
    options.task_mix = settings.taskMix;
    options.champion_share =
        static_cast<double>(settings.champions) / static_cast<double>(numExperts);
    for (const auto& [layer, plan] : current.layers) {
        if (plan->locked.empty() && plan->forced_out.empty()) continue;
        options.wishes[layer] = {
            .kept = {}, .locked = plan->locked, .forced_out = plan->forced_out};
    }
    return options;
}

PlanState stateOf(const ExpertPlan& plan, const PlanSettings& settings) {
    PlanState state{.settings = settings,
                    .chooser = plan.criterion,
                    .layers = {},
                    .reasons = std::make_shared<const Json>(plan.reasons),
                    .merge = plan.merge};
    for (const auto& [layer, row] : plan.layers)
        state.layers[layer] = std::make_shared<const LayerPlan>(row);
    return state;
}

ExpertPlan planOf(const PlanState& state) {
    ExpertPlan plan;
    plan.criterion = state.chooser;
    plan.merge = state.merge;
    for (const auto& [layer, row] : state.layers) plan.layers[layer] = *row;
    if (state.reasons) plan.reasons = *state.reasons;
    return plan;
}

PlanDifference differenceOf(const PlanState& from, const PlanState& to) {
    PlanDifference difference;
    for (const auto& [layer, row] : to.layers) {
        const auto before = from.layers.find(layer);
        if (before == from.layers.end() || before->second == row) continue;
        const auto& a = before->second->kept;
        const auto& b = row->kept;
        std::vector<std::int32_t> added;
        std::vector<std::int32_t> removed;
        std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(added));
        std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(removed));
        if (added.empty() && removed.empty()) continue;
        difference.added += static_cast<std::int64_t>(added.size());
        difference.removed += static_cast<std::int64_t>(removed.size());
        difference.layers.push_back(layer);
    }
    return difference;
}

}  // namespace espalier::ui
