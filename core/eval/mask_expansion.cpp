#include "eval/mask_expansion.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "infer/router.h"

namespace espalier {
namespace {

/// Tokens that a thread looks at together.
constexpr std::size_t kPiece = 2048;

/// Experts that a token does not choose neither change its choice nor its weights.
bool is_local(const RouterConfig& router) {
    return weighs_chosen_alone(router) && !router.has_selection_bias && router.num_groups <= 1;
}

}  // namespace

MaskExpansion::MaskExpansion(const MoeConfig& config, ProjectedExperts projected,
                             const std::map<std::int64_t, std::vector<std::int32_t>>& kept,
                             ThreadPool& pool)
    : num_labels_(static_cast<std::size_t>(projected.num_labels)),
      scored_(projected.scored),
      pool_(pool) {
    for (auto& [index, experts] : projected.layers) {
        Layer& layer = layers_[index];
        layer.router = config.router_of(index);
        layer.projected = std::move(experts);
        const auto num_experts = static_cast<std::size_t>(layer.router.num_experts);
        num_tokens_ = layer.projected.logits.size() / num_experts;
        layer.kept = flags(layer, kept.at(index));
        layer.threshold.resize(num_tokens_);
        layer.cost.resize(num_tokens_);
        layer.sampled.resize(num_tokens_ * num_labels_);
        sampled_.resize(num_tokens_ * num_labels_, 0.0F);
        take(index, kept.at(index));  // nothing is selected yet: every token is new
    }
    std::fill(sampled_.begin(), sampled_.end(), 0.0F);
}

std::vector<bool> MaskExpansion::flags(const Layer& layer, const std::vector<std::int32_t>& kept) {
    std::vector<bool> flags(static_cast<std::size_t>(layer.router.num_experts), false);
    for (const std::int32_t expert : kept) flags[static_cast<std::size_t>(expert)] = true;
    return flags;
}

MaskExpansion::Changed MaskExpansion::affected(const Layer& layer, const std::vector<bool>& kept,
                                               std::size_t begin, std::size_t end) {
    const auto num_experts = static_cast<std::size_t>(layer.router.num_experts);
    const auto top_k = static_cast<std::size_t>(layer.router.top_k);
    std::vector<std::size_t> back;
    for (std::size_t e = 0; e < num_experts; ++e) {
        if (kept[e] && !layer.kept[e]) back.push_back(e);
    }
    const bool is_any = layer.selected.empty() || !is_local(layer.router);
    Changed changed;
    for (std::size_t t = begin; t < end; ++t) {
        bool is_affected = is_any;
        for (std::size_t j = 0; j < top_k && !is_affected; ++j) {
            is_affected = !kept[static_cast<std::size_t>(layer.selected[t * top_k + j])];
        }
        for (std::size_t i = 0; i < back.size() && !is_affected; ++i) {
            is_affected = layer.projected.logits[t * num_experts + back[i]] >= layer.threshold[t];
        }
        if (is_affected) changed.tokens.push_back(static_cast<std::uint32_t>(t));
    }
    return changed;
}

void MaskExpansion::route_anew(const Layer& layer, const std::vector<bool>& kept,
                               Changed& changed) const {
    const auto num_experts = static_cast<std::size_t>(layer.router.num_experts);
    const auto top_k = static_cast<std::size_t>(layer.router.top_k);
    const ProjectedLayer& projected = layer.projected;
    std::vector<float> logits(changed.tokens.size() * num_experts);
    for (std::size_t i = 0; i < changed.tokens.size(); ++i) {
        const float* from = &projected.logits[changed.tokens[i] * num_experts];
        for (std::size_t e = 0; e < num_experts; ++e) {
            logits[i * num_experts + e] =
                kept[e] ? from[e] : -std::numeric_limits<float>::infinity();
        }
    }
    Routing routing;
    route(layer.router, logits, projected.selection_bias, routing);
    changed.selected = std::move(routing.selected);
    changed.cost.assign(changed.tokens.size(), 0.0F);
    changed.sampled.assign(changed.tokens.size() * num_labels_, 0.0F);
    for (std::size_t i = 0; i < changed.tokens.size(); ++i) {
        const std::size_t row = changed.tokens[i] * num_experts;
        for (std::size_t j = i * top_k; j < (i + 1) * top_k; ++j) {
            const std::size_t at = row + static_cast<std::size_t>(changed.selected[j]);
            changed.cost[i] += routing.weights[j] * projected.cost[at];
            for (std::size_t n = 0; n < num_labels_; ++n) {
                changed.sampled[i * num_labels_ + n] +=
                    routing.weights[j] * projected.sampled[at * num_labels_ + n];
            }
        }
    }
}

double MaskExpansion::change_between(const Layer& layer, const std::vector<bool>& kept,
                                     std::size_t begin, std::size_t end) const {
    Changed changed = affected(layer, kept, begin, end);
    route_anew(layer, kept, changed);
    double sum = 0;
    for (std::size_t i = 0; i < changed.tokens.size(); ++i) {
        const std::uint32_t t = changed.tokens[i];
        double squares = 0;
        for (std::size_t n = 0; n < num_labels_; ++n) {
            const std::size_t at = t * num_labels_ + n;
            const double moved = changed.sampled[i * num_labels_ + n] - layer.sampled[at];
            squares += moved * (sampled_[at] + 0.5 * moved);
        }
        sum += changed.cost[i] - layer.cost[t] + squares / static_cast<double>(num_labels_);
    }
    return sum;
}

double MaskExpansion::change(std::int64_t layer, const std::vector<std::int32_t>& kept) const {
    const Layer& held = layers_.at(layer);
    if (static_cast<std::int64_t>(kept.size()) < held.router.top_k)
        return std::numeric_limits<double>::infinity();
    const std::vector<bool> stays = flags(held, kept);
    std::vector<double> sums((num_tokens_ + kPiece - 1) / kPiece, 0.0);
    pool_.parallel_for(num_tokens_, kPiece, [&](std::size_t begin, std::size_t end) {
        sums[begin / kPiece] = change_between(held, stays, begin, end);
    });
    double sum = 0;
    for (const double some : sums) sum += some;
    return sum / static_cast<double>(scored_);
}

void MaskExpansion::take(std::int64_t layer, const std::vector<std::int32_t>& kept) {
    Layer& held = layers_.at(layer);
    const auto num_experts = static_cast<std::size_t>(held.router.num_experts);
    const auto top_k = static_cast<std::size_t>(held.router.top_k);
    const std::vector<bool> stays = flags(held, kept);
    Changed changed = affected(held, stays, 0, num_tokens_);
    route_anew(held, stays, changed);
    held.selected.resize(num_tokens_ * top_k);
    for (std::size_t i = 0; i < changed.tokens.size(); ++i) {
        const std::uint32_t t = changed.tokens[i];
        for (std::size_t n = 0; n < num_labels_; ++n) {
            const std::size_t at = t * num_labels_ + n;
            sampled_[at] += changed.sampled[i * num_labels_ + n] - held.sampled[at];
            held.sampled[at] = changed.sampled[i * num_labels_ + n];
        }
        held.cost[t] = changed.cost[i];
        float least = std::numeric_limits<float>::infinity();
        for (std::size_t j = 0; j < top_k; ++j) {
            const std::int32_t expert = changed.selected[i * top_k + j];
            held.selected[t * top_k + j] = expert;
            least = std::min(
                least, held.projected.logits[t * num_experts + static_cast<std::size_t>(expert)]);
        }
        held.threshold[t] = least;
    }
    held.kept = stays;
}

}  // namespace espalier
