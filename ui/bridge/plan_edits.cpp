#include "ui/bridge/plan_edits.h"

#include <QCoreApplication>
#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

namespace espalier::ui {
namespace {

using Ids = std::vector<std::int32_t>;

QString tr(const char* text, int n = -1) {
    return QCoreApplication::translate("PlanEdits", text, nullptr, n);
}

bool holds(const Ids& ids, std::int32_t id) {
    return std::binary_search(ids.begin(), ids.end(), id);
}

void put(Ids& ids, std::int32_t id) {
    const auto place = std::lower_bound(ids.begin(), ids.end(), id);
    if (place == ids.end() || *place != id) ids.insert(place, id);
}

void take(Ids& ids, std::int32_t id) {
    const auto place = std::lower_bound(ids.begin(), ids.end(), id);
    if (place != ids.end() && *place == id) ids.erase(place);
}

/// Whoever stays is part of no other; whoever is forced out becomes part of none.
void leaveGroup(LayerPlan& plan, std::int32_t id) {
    for (auto& group : plan.groups) {
        const auto member = std::find(std::next(group.begin()), group.end(), id);
        if (member != group.end()) group.erase(member);
    }
    std::erase_if(plan.groups, [](const Ids& group) { return group.size() < 2; });
}

/// Marks give way to the edit: whoever keeps an expert does not force it out, and the reverse.
void apply(LayerPlan& plan, PlanEdit edit, std::int32_t id) {
    const bool staysIn = edit == PlanEdit::Keep || edit == PlanEdit::Lock;
    const bool goes = edit == PlanEdit::Prune || edit == PlanEdit::ForceOut;
    if (staysIn || edit == PlanEdit::Clear) take(plan.forced_out, id);
    if (goes || edit == PlanEdit::Clear) take(plan.locked, id);
    if (staysIn) put(plan.kept, id);
    if (goes) {
        take(plan.kept, id);
        // Its members lose what they were to become part of.
        std::erase_if(plan.groups, [id](const Ids& group) { return group.front() == id; });
    }
    if (staysIn || edit == PlanEdit::ForceOut) leaveGroup(plan, id);
    if (edit == PlanEdit::Lock) put(plan.locked, id);
    if (edit == PlanEdit::ForceOut) put(plan.forced_out, id);
}

std::vector<std::int64_t> groupCounts(const Ids& kept, const RouterConfig& router) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(router.num_groups), 0);
    const auto size = static_cast<std::int32_t>(router.num_experts / router.num_groups);
    for (const std::int32_t id : kept) ++counts[static_cast<std::size_t>(id / size)];
    return counts;
}

/// Names the group that stands out from most others.
QString groupProblem(std::int64_t layer, const Ids& kept, const RouterConfig& router) {
    const auto counts = groupCounts(kept, router);
    auto sorted = counts;
    std::nth_element(sorted.begin(),
                     sorted.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2), sorted.end());
    const std::int64_t usual = sorted[counts.size() / 2];
    for (std::size_t group = 0; group < counts.size(); ++group) {
        if (counts[group] == usual) continue;
        const QString rule = tr("Layer %1 routes in %2 groups: remove the same number from each. ")
                                 .arg(layer)
                                 .arg(router.num_groups);
        const auto gap = static_cast<int>(std::abs(counts[group] - usual));
        return rule + (counts[group] > usual ? tr("Group %1 has %n too many.", gap)
                                             : tr("Group %1 has %n too few.", gap))
                          .arg(group);
    }
    return {};
}

/// Experts of a layer, from the first to be taken to the last.
Ids inOrder(const Ids& ids, const std::vector<double>& scores, bool bestFirst) {
    Ids order = ids;
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
        const double left = scores[static_cast<std::size_t>(a)];
        const double right = scores[static_cast<std::size_t>(b)];
        return bestFirst ? left > right : left < right;
    });
    return order;
}

/// Changes the layer towards `wanted` experts in equal shares of the groups.
void moveTowards(LayerPlan& plan, std::int64_t wanted, const std::vector<double>& scores,
                 const RouterConfig& router) {
    const bool fills = static_cast<std::int64_t>(plan.kept.size()) < wanted;
    Ids candidates;
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(router.num_experts); ++id) {
        const bool isMarked = holds(fills ? plan.forced_out : plan.locked, id);
        if (holds(plan.kept, id) != fills && !isMarked) candidates.push_back(id);
    }
    auto counts = groupCounts(plan.kept, router);
    const std::int64_t share = wanted / router.num_groups;
    const auto size = static_cast<std::int32_t>(router.num_experts / router.num_groups);
    for (const std::int32_t id : inOrder(candidates, scores, fills)) {
        std::int64_t& count = counts[static_cast<std::size_t>(id / size)];
        if (fills ? count >= share : count <= share) continue;
        count += fills ? 1 : -1;
        apply(plan, fills ? PlanEdit::Keep : PlanEdit::Prune, id);
    }
}

QString oneText(PlanEdit edit, std::int64_t layer, std::int32_t expert) {
    const QString text = [&] {
        switch (edit) {
            case PlanEdit::Prune:
                return tr("Prune expert %1 in layer %2");
            case PlanEdit::Keep:
                return tr("Keep expert %1 in layer %2");
            case PlanEdit::Lock:
                return tr("Lock expert %1 in layer %2");
            case PlanEdit::ForceOut:
                return tr("Force out expert %1 in layer %2");
            case PlanEdit::Clear:
                break;
        }
        return tr("Clear the marks of expert %1 in layer %2");
    }();
    return text.arg(expert).arg(layer);
}

}  // namespace

QString layerProblem(std::int64_t layer, const Ids& kept, const RouterConfig& router) {
    if (static_cast<std::int64_t>(kept.size()) < router.top_k) {
        return tr("Keep at least %1 experts: the model routes each token to %1.").arg(router.top_k);
    }
    return router.num_groups > 1 ? groupProblem(layer, kept, router) : QString();
}

EditResult edited(const PlanState& state, PlanEdit edit, const ExpertCells& cells,
                  const RouterConfig& router) {
    EditResult result{.state = state};
    for (const auto& [layer, experts] : cells) {
        const auto found = state.layers.find(layer);
        if (found == state.layers.end()) continue;
        LayerPlan plan = *found->second;
        for (const std::int32_t id : experts) apply(plan, edit, id);
        if (plan == *found->second) continue;
        const QString problem =
            plan.kept == found->second->kept ? QString() : layerProblem(layer, plan.kept, router);
        if (!problem.isEmpty()) return {.state = state, .refusedLayer = layer, .refusal = problem};
        result.state.layers[layer] = std::make_shared<const LayerPlan>(std::move(plan));
    }
    return result;
}

QString editText(PlanEdit edit, const ExpertCells& cells) {
    int count = 0;
    for (const auto& [layer, experts] : cells) count += static_cast<int>(experts.size());
    if (count == 1) return oneText(edit, cells.begin()->first, cells.begin()->second.front());
    const QString what = [&] {
        switch (edit) {
            case PlanEdit::Prune:
                return tr("Prune %n experts", count);
            case PlanEdit::Keep:
                return tr("Keep %n experts", count);
            case PlanEdit::Lock:
                return tr("Lock %n experts", count);
            case PlanEdit::ForceOut:
                return tr("Force out %n experts", count);
            case PlanEdit::Clear:
                break;
        }
        return tr("Clear the marks of %n experts", count);
    }();
    if (cells.size() == 1) return tr("%1 in layer %2").arg(what).arg(cells.begin()->first);
    return tr("%1 in %2 layers").arg(what).arg(cells.size());
}

bool isUniform(const PlanState& state) {
    std::set<std::size_t> counts;
    for (const auto& [layer, plan] : state.layers) counts.insert(plan->kept.size());
    return counts.size() <= 1;
}

PlanState filledUp(const PlanState& state, const LayerScores& scores, const RouterConfig& router) {
    std::size_t most = 0;
    for (const auto& [layer, plan] : state.layers) most = std::max(most, plan->kept.size());
    PlanState result = state;
    for (auto& [layer, plan] : result.layers) {
        if (plan->kept.size() == most) continue;
        LayerPlan changed = *plan;
        moveTowards(changed, static_cast<std::int64_t>(most), scores.at(layer), router);
        plan = std::make_shared<const LayerPlan>(std::move(changed));
    }
    return result;
}

EditResult cutDown(const PlanState& state, const LayerScores& scores, const RouterConfig& router) {
    std::size_t least = static_cast<std::size_t>(router.num_experts);
    for (const auto& [layer, plan] : state.layers) least = std::min(least, plan->kept.size());
    EditResult result{.state = state};
    for (auto& [layer, plan] : result.state.layers) {
        if (plan->kept.size() == least) continue;
        LayerPlan changed = *plan;
        moveTowards(changed, static_cast<std::int64_t>(least), scores.at(layer), router);
        if (changed.kept.size() != least) {
            return {.state = state,
                    .refusedLayer = layer,
                    .refusal = tr("Layer %1 has more than %2 locked experts. Clear some of them, "
                                  "or fill the other layers up.")
                                   .arg(layer)
                                   .arg(least)};
        }
        plan = std::make_shared<const LayerPlan>(std::move(changed));
    }
    return result;
}

}  // namespace espalier::ui
