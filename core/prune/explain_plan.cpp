#include "prune/explain_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <optional>
#include <span>

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

using Ids = std::vector<std::int32_t>;

Ids removed_ids(const Ids& kept, std::size_t num_experts) {
    Ids all(num_experts);
    std::iota(all.begin(), all.end(), 0);
    Ids removed;
    std::set_difference(all.begin(), all.end(), kept.begin(), kept.end(),
                        std::back_inserter(removed));
    return removed;
}

/// Share of `values` that stands at the ids of `kept`; 1 where there is nothing to share.
double share_kept(std::span<const double> values, const Ids& kept) {
    const double total = std::accumulate(values.begin(), values.end(), 0.0);
    double sum = 0.0;
    for (const std::int32_t id : kept) sum += values[static_cast<std::size_t>(id)];
    return total > 0.0 ? sum / total : 1.0;
}

Ids never_activated(std::span<const std::int64_t> count) {
    Ids ids;
    for (std::size_t e = 0; e < count.size(); ++e) {
        if (count[e] == 0) ids.push_back(static_cast<std::int32_t>(e));
    }
    return ids;
}

/// The best score that goes: who scores above it stays.
std::optional<std::int32_t> best_removed(const Ids& removed, const std::vector<double>& scores) {
    if (removed.empty()) return std::nullopt;
    return *std::max_element(removed.begin(), removed.end(), [&](std::int32_t a, std::int32_t b) {
        return scores[static_cast<std::size_t>(a)] < scores[static_cast<std::size_t>(b)];
    });
}

Json layer_reasons(std::int64_t index, const LayerStats& stats, const LayerPlan& plan,
                   const LayerDecision& decision) {
    Json json = {{"layer", index},
                 {"gate_mass_lost", 1.0 - share_kept(stats.gate_sum, plan.kept)},
                 {"never_activated", never_activated(stats.count)},
                 {"super_experts", decision.protected_super},
                 {"champions", decision.champions}};
    const Ids removed = removed_ids(plan.kept, stats.count.size());
    if (const auto cut = best_removed(removed, decision.scores)) {
        const auto e = static_cast<std::size_t>(*cut);
        json["cut_score"] = decision.scores[e];
        json["reap_standard_error_at_cut"] = reap_standard_error(stats)[e];
    }
    return json;
}

/// Removed experts whose REAP score, give or take two standard errors, reaches the worst kept one.
double uncertain_share(const ExpertStats& stats, const ExpertPlan& plan) {
    std::size_t uncertain = 0;
    std::size_t removed_total = 0;
    for (const auto& [index, layer_plan] : plan.layers) {
        const LayerStats& layer = stats.layers.at(index);
        const auto scores = score_reap(layer, {});
        const auto error = reap_standard_error(layer);
        double lowest_kept = std::numeric_limits<double>::infinity();
        for (const auto id : layer_plan.kept) {
            lowest_kept = std::min(lowest_kept, scores[static_cast<std::size_t>(id)]);
        }
        for (const auto id : removed_ids(layer_plan.kept, scores.size())) {
            const auto e = static_cast<std::size_t>(id);
            ++removed_total;
            uncertain += scores[e] + 2.0 * error[e] > lowest_kept ? 1U : 0U;
        }
    }
    return removed_total == 0 ? 0.0
                              : static_cast<double>(uncertain) / static_cast<double>(removed_total);
}

double jaccard(const Ids& a, const Ids& b) {
    Ids common;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
    return static_cast<double>(common.size()) /
           static_cast<double>(a.size() + b.size() - common.size());
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
            Ids order = rank_experts(scores, counts);
            Ids kept(order.begin(), order.begin() + keep);
            std::sort(kept.begin(), kept.end());
            return kept;
        };
        sum += jaccard(best(half, count), best(score_reap(layer, {}), layer.count));
    }
    return sum / static_cast<double>(plan.layers.size());
}

Json dead_by_task(const ExpertStats& stats) {
    Json result = Json::object();
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
        std::size_t dead = 0;
        for (const auto& [index, layer] : stats.layers) {
            if (layer.task_count.size() < (task + 1) * experts) continue;
            dead += never_activated(std::span(layer.task_count).subspan(task * experts, experts))
                        .size();
        }
        result[stats.tasks[task]] = dead;
    }
    return result;
}

void warn(Json& warnings, const char* code, std::string text) {
    warnings.push_back({{"code", code}, {"text", std::move(text)}});
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

Json warnings_of(const ExpertStats& stats, const ExpertPlan& plan,
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
    if (plan.criterion == "reap") {
        const double uncertain = uncertain_share(stats, plan);
        if (uncertain > kMostUncertain) {
            warn(warnings, "uncertain_cut",
                 fmt::format("{:.0f} % of the removed experts are within two standard errors of "
                             "the kept ones.",
                             100 * uncertain));
        }
    }
    if (const auto stable = stability(stats, plan); stable && *stable < kLeastStable) {
        warn(warnings, "unstable_choice",
             fmt::format(
                 "By half of the data the choice would agree to {:.0f} % only: calibrate on more.",
                 100 * *stable));
    }
    return warnings;
}

}  // namespace

std::map<std::string, double> task_mass_kept(const ExpertStats& stats, const ExpertPlan& plan) {
    std::map<std::string, double> mass;
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    const auto add = [&](const std::string& label, std::span<const double> values,
                         const Ids& kept) {
        mass[label] += share_kept(values, kept) / static_cast<double>(plan.layers.size());
    };
    for (const auto& [index, layer_plan] : plan.layers) {
        const LayerStats& layer = stats.layers.at(index);
        if (stats.tasks.empty()) add("", layer.gated_norm_sum, layer_plan.kept);
        for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
            if (layer.task_gated_norm_sum.size() < (task + 1) * experts) continue;
            add(stats.tasks[task],
                std::span(layer.task_gated_norm_sum).subspan(task * experts, experts),
                layer_plan.kept);
        }
    }
    return mass;
}

Json explain_plan(const ExpertStats& stats, const ExpertPlan& plan,
                  const std::map<std::int64_t, LayerDecision>& decisions) {
    const auto mass = task_mass_kept(stats, plan);
    Json layers = Json::array();
    for (const auto& [index, layer_plan] : plan.layers) {
        layers.push_back(
            layer_reasons(index, stats.layers.at(index), layer_plan, decisions.at(index)));
    }
    return {{"layers", std::move(layers)},
            {"never_activated_by_task", dead_by_task(stats)},
            {"task_mass", mass},
            {"warnings", warnings_of(stats, plan, mass)}};
}

}  // namespace espalier
