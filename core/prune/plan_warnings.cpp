#include "prune/plan_warnings.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "prune/expert_constants.h"
#include "prune/expert_sets.h"
#include "prune/explain_plan.h"
#include "prune/lost_mass.h"
#include "prune/rank_experts.h"
#include "routing/criterion.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

// Limits of spec "expert pruning" 10 and 11.
constexpr double kMostUncertain = 0.10;
constexpr double kMostDead = 0.05;
constexpr double kLeastStable = 0.97;
constexpr double kDeepCut = 0.25;
constexpr std::int64_t kFewExperts = 64;

/// Removed experts whose score, give or take two standard errors, reaches the worst kept one.
double uncertain_share(const ExpertPlan& plan,
                       const std::map<std::int64_t, LayerDecision>& decisions) {
    std::size_t uncertain = 0;
    std::size_t removed = 0;
    for (const auto& [index, layer_plan] : plan.layers) {
        const LayerDecision& decision = decisions.at(index);
        const auto ids = uncertain_experts(layer_plan, decision);
        uncertain +=
            static_cast<std::size_t>(std::count_if(ids.begin(), ids.end(), [&](std::int32_t id) {
                return !std::binary_search(layer_plan.kept.begin(), layer_plan.kept.end(), id);
            }));
        removed += decision.scores.size() - layer_plan.kept.size();
    }
    return removed == 0 ? 0.0 : static_cast<double>(uncertain) / static_cast<double>(removed);
}

/// Mean overlap of what REAP would keep by the first half of the data and by all of it; nothing if
/// the halves were not measured.
std::optional<double> stability(const ExpertStats& stats, const ExpertPlan& plan) {
    double sum = 0.0;
    for (const auto& [index, layer_plan] : plan.layers) {
        const LayerStats& layer = stats.layers.at(index);
        const std::size_t experts = layer.count.size();
        if (layer.half_count.size() != 2 * experts ||
            layer.half_gated_norm_sum.size() != 2 * experts) {
            return std::nullopt;
        }
        const std::vector<std::int64_t> count(
            layer.half_count.begin(),
            layer.half_count.begin() + static_cast<std::ptrdiff_t>(experts));
        const auto half = mean_per_selection(layer.half_gated_norm_sum, count);
        const auto keep = static_cast<std::ptrdiff_t>(layer_plan.kept.size());
        const auto best = [&](const std::vector<double>& scores,
                              const std::vector<std::int64_t>& counts) {
            ExpertIds order = rank_experts(scores, counts);
            ExpertIds kept(order.begin(), order.begin() + keep);
            std::sort(kept.begin(), kept.end());
            return kept;
        };
        sum += jaccard(best(half, count), best(score_reap(layer, {}), layer.count));
    }
    return sum / static_cast<double>(plan.layers.size());
}

void warn(Json& warnings, const char* code, std::string text) {
    warnings.push_back({{"code", code}, {"text", std::move(text)}});
}

/// Unless it is made up for.
void warn_of_lost_mass(const ExpertStats& stats, const ExpertPlan& plan, Json& warnings) {
    std::int64_t worst_layer = -1;
    double most = kNotableLostMass;
    for (const auto& [index, layer_plan] : plan.layers) {
        const double lost = lost_mass(stats.layers.at(index), layer_plan.kept).value_or(0);
        if (lost <= most || layer_plan.output_scale != 1.0) continue;
        worst_layer = index;
        most = lost;
    }
    if (worst_layer < 0 || replaces_experts(plan)) return;
    warn(warnings, "lost_mass",
         fmt::format("In layer {} experts go that had {:.0f} % of the router's probability: the "
                     "gates of those that stay grow by {:.0f} %, which compensation takes back on "
                     "the mean.",
                     worst_layer, 100 * most, 100 * (1 / (1 - most) - 1)));
}

void warn_of_cut(const ExpertStats& stats, const ExpertPlan& plan, Json& warnings) {
    std::size_t kept = 0;
    std::size_t dead = 0;
    std::size_t all = 0;
    for (const auto& [index, layer_plan] : plan.layers) {
        kept += layer_plan.kept.size();
        dead += never_activated(stats.layers.at(index).count).size();
        all += static_cast<std::size_t>(stats.num_experts);
    }
    if (static_cast<double>(dead) > kMostDead * static_cast<double>(all)) {
        warn(warnings, "dead_experts",
             fmt::format(
                 "{} of {} experts were never chosen: the data may not cover what they know.", dead,
                 all));
    }
    const double removed = 1.0 - static_cast<double>(kept) / static_cast<double>(all);
    if (removed > kDeepCut && stats.num_experts <= kFewExperts) {
        warn(warnings, "deep_cut",
             fmt::format(
                 "{:.0f} % of the experts go, of {} a layer: models with few experts lose more.",
                 100 * removed, stats.num_experts));
    }
}

}  // namespace

Json plan_warnings(const ExpertStats& stats, const ExpertPlan& plan,
                   const std::map<std::int64_t, LayerDecision>& decisions,
                   const std::map<std::string, double>& mass) {
    Json warnings = Json::array();
    for (const auto& [task, share] : mass) {
        if (share >= kLowestTaskMass) continue;
        warn(warnings, "low_task_mass",
             fmt::format("The kept experts carry {:.0f} % of {}, less than {:.0f} %.", 100 * share,
                         task.empty() ? "the output" : fmt::format("the output for \"{}\"", task),
                         100 * kLowestTaskMass));
    }
    warn_of_cut(stats, plan, warnings);
    warn_of_lost_mass(stats, plan, warnings);
    const double uncertain = uncertain_share(plan, decisions);
    if (uncertain > kMostUncertain) {
        warn(warnings, "uncertain_cut",
             fmt::format("{:.0f} % of the removed experts are within two standard errors of the "
                         "kept ones.",
                         100 * uncertain));
    }
    if (const auto stable = stability(stats, plan); stable && *stable < kLeastStable) {
        warn(warnings, "unstable_choice",
             fmt::format(
                 "By half of the data the choice would agree to {:.0f} % only: calibrate on more.",
                 100 * *stable));
    }
    return warnings;
}

}  // namespace espalier
