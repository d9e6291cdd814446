#include "prune/select_experts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>
#include <span>

#include "base/error.h"
#include "prune/explain_plan.h"
#include "prune/rank_experts.h"
#include "routing/criterion.h"

namespace espalier {
namespace {

constexpr std::string_view kControl = "random";

Error refused(const std::string& what, const std::string& hint) {
    return Error(ErrorCode::RunRecipe, what, hint);
}

void check_fits(const ExpertStats& stats, const MoeConfig& config) {
    if (config.moe_layers().empty()) {
        throw refused("This model has no routed layers: there is nothing to prune.",
                      "Choose a Mixture-of-Experts model.");
    }
    if (stats.num_experts != config.router.num_experts) {
        throw refused(
            fmt::format("The statistics are of a model with {} experts a layer, this one has {}.",
                        stats.num_experts, config.router.num_experts),
            "Calibrate this model.");
    }
}

const LayerStats& layer_stats(const ExpertStats& stats, std::int64_t layer) {
    const auto found = stats.layers.find(layer);
    if (found == stats.layers.end() ||
        found->second.count.size() != static_cast<std::size_t>(stats.num_experts)) {
        throw refused(fmt::format("The statistics have nothing about layer {}.", layer),
                      "Calibrate this model again.");
    }
    const auto& count = found->second.count;
    if (std::all_of(count.begin(), count.end(), [](std::int64_t n) { return n == 0; })) {
        throw refused(
            fmt::format("No expert of layer {} was chosen by any token during calibration.", layer),
            "Calibrate on more data.");
    }
    return found->second;
}

std::vector<double> checked_scores(const Criterion& criterion, const LayerStats& stats,
                                   std::int64_t layer, std::uint64_t seed) {
    std::vector<double> scores = criterion.score(stats, {layer, seed});
    for (std::size_t e = 0; e < scores.size(); ++e) {
        if (std::isfinite(scores[e])) continue;
        throw Error(
            ErrorCode::NumberInvalid,
            fmt::format("The {} score of expert {} in layer {} is not finite.", criterion.name, e,
                        layer),
            "Calibrate again; if it persists, the model computes NaN or infinity on this data.");
    }
    return scores;
}

/// The best experts of each task label by mean gated norm on that label's tokens.
std::map<std::string, std::vector<std::int32_t>> champions(const ExpertStats& stats,
                                                           const LayerStats& layer, double share) {
    std::map<std::string, std::vector<std::int32_t>> result;
    const auto experts = static_cast<std::size_t>(stats.num_experts);
    const auto wanted = static_cast<std::size_t>(std::lround(share * static_cast<double>(experts)));
    if (stats.tasks.size() < 2 || layer.task_count.size() != stats.tasks.size() * experts)
        return result;
    for (std::size_t task = 0; task < stats.tasks.size(); ++task) {
        const auto count = std::span(layer.task_count).subspan(task * experts, experts);
        const auto sum = std::span(layer.task_gated_norm_sum).subspan(task * experts, experts);
        std::vector<double> mean(experts, 0.0);
        for (std::size_t e = 0; e < experts; ++e) {
            if (count[e] > 0) mean[e] = sum[e] / static_cast<double>(count[e]);
        }
        const auto order = rank_experts(mean, count);
        auto& best = result[stats.tasks[task]];
        for (const std::int32_t expert : order) {
            if (best.size() < wanted && count[static_cast<std::size_t>(expert)] > 0)
                best.push_back(expert);
        }
    }
    return result;
}

/// Fills a layer up to `kept` experts: first those that must stay, then champions as far as there
/// is room, then the best of the rest.
class LayerSelection {
public:
    /// @param router its groups, if any, keep the same number of experts each
    LayerSelection(const LayerPlan& wish, std::int64_t layer, std::size_t kept,
                   const RouterConfig& router)
        : wish_(wish),
          layer_(layer),
          room_(kept),
          group_size_(router.num_experts / router.num_groups),
          room_in_group_(kept / static_cast<std::size_t>(router.num_groups)),
          in_group_(static_cast<std::size_t>(router.num_groups), 0) {}

    void require(std::int32_t expert) {
        if (is_forced_out(expert)) {
            throw refused(
                fmt::format("Expert {} of layer {} must stay and is forced out.", expert, layer_),
                "Unlock the expert, or take it off the list of those to remove.");
        }
        const bool is_new = chosen_.insert(expert).second;
        std::size_t& in_group = in_group_[group_of(expert)];
        if (is_new) ++in_group;
        if (chosen_.size() > room_ || in_group > room_in_group_) {
            throw refused(
                fmt::format("More experts of layer {}{} must stay than the {} that are kept.",
                            layer_, in_group_.size() > 1 ? " or of one of its groups" : "", room_),
                "Keep more experts or unlock some.");
        }
    }
    void prefer(std::int32_t expert) {
        std::size_t& in_group = in_group_[group_of(expert)];
        if (in_group >= room_in_group_ || is_forced_out(expert)) return;
        if (chosen_.insert(expert).second) ++in_group;
    }
    LayerPlan finish() const {
        if (chosen_.size() < room_) {
            throw refused(
                fmt::format("So many experts of layer {} are forced out that {} cannot be kept.",
                            layer_, room_),
                "Force fewer experts out or keep fewer.");
        }
        return {{chosen_.begin(), chosen_.end()}, wish_.locked, wish_.forced_out};
    }

private:
    bool is_forced_out(std::int32_t expert) const {
        return std::find(wish_.forced_out.begin(), wish_.forced_out.end(), expert) !=
               wish_.forced_out.end();
    }
    std::size_t group_of(std::int32_t expert) const {
        return static_cast<std::size_t>(expert / group_size_);
    }

    const LayerPlan& wish_;
    std::int64_t layer_;
    std::size_t room_;
    std::int64_t group_size_;
    std::size_t room_in_group_;
    std::vector<std::size_t> in_group_;
    std::set<std::int32_t> chosen_;
};

void check_wishes(const SelectOptions& options, const MoeConfig& config) {
    const auto routed = config.moe_layers();
    for (const auto& [layer, wish] : options.wishes) {
        const bool known = std::find(routed.begin(), routed.end(), layer) != routed.end();
        for (const auto* ids : {&wish.locked, &wish.forced_out}) {
            for (const std::int32_t id : *ids) {
                if (known && id >= 0 && id < config.router.num_experts) continue;
                throw refused(fmt::format("There is no expert {} in layer {}.", id, layer),
                              "Correct the lists of locked and removed experts.");
            }
        }
    }
}

std::int64_t checked_kept(const SelectOptions& options, const RouterConfig& router) {
    const std::int64_t kept = options.keep.kept_of(router.num_experts);
    if (kept % router.num_groups != 0) {
        throw refused(
            fmt::format("{} experts cannot be kept in equal shares of {} groups, which is "
                        "what the router chooses by.",
                        kept, router.num_groups),
            fmt::format("Keep a multiple of {}.", router.num_groups));
    }
    const std::int64_t reachable = kept / router.num_groups * router.top_groups;
    if (kept >= router.top_k && reachable < router.top_k) {
        throw refused(fmt::format("Of {} kept experts a token could reach {}, but is sent to {}.",
                                  kept, reachable, router.top_k),
                      "Keep more experts.");
    }
    if (kept >= router.top_k) return kept;
    throw refused(fmt::format("{} of {} experts would be kept, but each token is sent to {}.", kept,
                              router.num_experts, router.top_k),
                  fmt::format("Keep at least {} experts.", router.top_k));
}

LayerPlan choose(const LayerStats& layer, const LayerDecision& decision, LayerSelection selection,
                 const LayerPlan& wish) {
    for (const std::int32_t expert : wish.locked) selection.require(expert);
    for (const std::int32_t expert : decision.protected_super) selection.require(expert);
    std::size_t longest = 0;
    for (const auto& [task, best] : decision.champions) longest = std::max(longest, best.size());
    for (std::size_t rank = 0; rank < longest; ++rank) {
        for (const auto& [task, best] : decision.champions) {
            if (rank < best.size()) selection.prefer(best[rank]);
        }
    }
    for (const std::int32_t expert : rank_experts(decision.scores, layer.count))
        selection.prefer(expert);
    return selection.finish();
}

}  // namespace

ExpertPlan select_experts(const ExpertStats& stats, const MoeConfig& config,
                          const SelectOptions& options) {
    check_fits(stats, config);
    check_wishes(options, config);
    const Criterion& criterion = find_criterion(options.criterion);
    const std::int64_t kept = checked_kept(options, config.router);
    const bool protects = criterion.name != kControl;
    ExpertPlan plan;
    plan.model_hash = stats.model_hash;
    plan.stats_hash = stats.file_hash;
    plan.criterion = options.criterion;
    plan.accept = options.accept;
    std::map<std::int64_t, LayerDecision> decisions;
    if (protects && options.protects_super_experts) {
        for (const auto& [layer, expert] : super_experts(stats)) {
            decisions[layer].protected_super.push_back(expert);
        }
    }
    for (const std::int64_t index : config.moe_layers()) {
        const LayerStats& layer = layer_stats(stats, index);
        LayerDecision& decision = decisions[index];
        decision.scores = checked_scores(criterion, layer, index, options.seed);
        if (protects) decision.champions = champions(stats, layer, options.champion_share);
        const auto found = options.wishes.find(index);
        const LayerPlan wish = found == options.wishes.end() ? LayerPlan{} : found->second;
        plan.layers[index] = choose(
            layer, decision,
            LayerSelection(wish, index, static_cast<std::size_t>(kept), config.router), wish);
    }
    plan.reasons = explain_plan(stats, plan, decisions);
    return plan;
}

}  // namespace espalier
