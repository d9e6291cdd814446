#include "torch_services/layer_flips.h"

#include <algorithm>
#include <limits>
#include <torch/types.h>

#include "nn/activation.h"
#include "nn/router.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

/// Weights that differ less are the same but for rounding.
constexpr double kSameWeight = 1e-6;

torch::Tensor run_expert(const ExpertConfig& config, const GatedMlp& mlp,
                         const torch::Tensor& rows) {
    if (mlp.constant.defined()) return mlp.constant.expand({rows.size(0), -1});
    return mlp.down(activate(config, mlp.gate(rows), mlp.up(rows)));
}

/// [tokens, experts] bool: whose outputs the choice and its flips are made of.
torch::Tensor needed_outputs(std::int64_t num_experts, const RoutedRows& routing,
                             const std::vector<RoutingFlip>& flips) {
    torch::Tensor needed = torch::zeros({routing.selected.size(0), num_experts}, torch::kBool);
    needed.scatter_(1, routing.selected, true);
    torch::Tensor flat = needed.view({-1});
    for (const RoutingFlip& flip : flips) {
        if (!flip.rows.defined()) continue;
        const torch::Tensor places = flip.rows.unsqueeze(1) * num_experts + flip.selected;
        flat.index_fill_(0, places.view({-1}), true);
    }
    return needed;
}

/// Products of experts' outputs with gradients, [tokens, experts]; 0 where nobody asks.
struct Projections {
    torch::Tensor cost;
    torch::Tensor sampled;
};

Projections project(const FlippedLayer& layer, const torch::Tensor& rows,
                    const OutputGradients& gradients, const torch::Tensor& needed) {
    Projections products{torch::zeros(needed.sizes()), torch::zeros(needed.sizes())};
    for (std::int64_t expert = 0; expert < needed.size(1); ++expert) {
        const torch::Tensor tokens = needed.select(1, expert).nonzero().squeeze(1);
        if (tokens.numel() == 0) continue;
        const torch::Tensor output = run_expert(
            layer.config.experts, layer.weights.experts.at(expert), rows.index_select(0, tokens));
        const auto fill = [&](torch::Tensor& to, const torch::Tensor& gradient) {
            to.select(1, expert).index_copy_(0, tokens,
                                             (output * gradient.index_select(0, tokens)).sum(1));
        };
        fill(products.cost, gradients.cost);
        fill(products.sampled, gradients.sampled);
    }
    return products;
}

/// Product of the routed output with the gradient, [rows].
torch::Tensor of_choice(const torch::Tensor& projection, const torch::Tensor& selected,
                        const torch::Tensor& weights) {
    return (projection.gather(1, selected) * weights).sum(1);
}

}  // namespace

void FlipSums::add(const FlipSums& other) {
    if (slope.empty()) {
        *this = other;
        return;
    }
    for (std::size_t e = 0; e < slope.size(); ++e) {
        slope[e] += other.slope[e];
        curvature[e] += other.curvature[e];
    }
}

std::vector<RoutingFlip> flip_experts(const RouterConfig& config, const RouterWeights& router,
                                      const torch::Tensor& logits, const std::vector<bool>& removed,
                                      const RoutedRows& routing) {
    std::vector<bool> mask = removed;
    mask.resize(static_cast<std::size_t>(config.num_experts), false);
    const auto num_kept = std::count(mask.begin(), mask.end(), false);
    std::vector<RoutingFlip> flips(mask.size());
    for (std::size_t expert = 0; expert < mask.size(); ++expert) {
        if (!mask[expert] && num_kept <= config.top_k) continue;
        mask[expert] = !mask[expert];
        const RoutedRows flipped = route_logits(config, router, logits, mask);
        mask[expert] = !mask[expert];
        const torch::Tensor differs = ((flipped.selected != routing.selected) |
                                       ((flipped.weights - routing.weights).abs() > kSameWeight))
                                          .any(1);
        RoutingFlip& flip = flips[expert];
        flip.rows = differs.nonzero().squeeze(1);
        flip.selected = flipped.selected.index_select(0, flip.rows);
        flip.weights = flipped.weights.index_select(0, flip.rows);
    }
    return flips;
}

FlipSums sum_flips(const FlippedLayer& layer, const torch::Tensor& rows,
                   const OutputGradients& gradients) {
    const RouterConfig config = layer.config.router_of(layer.layer);
    const RouterWeights& router = layer.weights.router;
    const torch::Tensor logits = router.linear(rows);
    const RoutedRows routing = route_logits(config, router, logits, layer.removed);
    const auto flips = flip_experts(config, router, logits, layer.removed, routing);
    const Projections products =
        project(layer, rows, gradients, needed_outputs(config.num_experts, routing, flips));
    const torch::Tensor cost = of_choice(products.cost, routing.selected, routing.weights);
    const torch::Tensor sampled = of_choice(products.sampled, routing.selected, routing.weights);
    FlipSums sums;
    for (const RoutingFlip& flip : flips) {
        if (!flip.rows.defined()) {
            sums.slope.push_back(std::numeric_limits<double>::infinity());
            sums.curvature.push_back(std::numeric_limits<double>::infinity());
            continue;
        }
        const auto change = [&](const torch::Tensor& projection, const torch::Tensor& before) {
            return of_choice(projection.index_select(0, flip.rows), flip.selected, flip.weights) -
                   before.index_select(0, flip.rows);
        };
        sums.slope.push_back(change(products.cost, cost).sum(torch::kFloat64).item<double>());
        sums.curvature.push_back(
            change(products.sampled, sampled).square().sum(torch::kFloat64).item<double>());
    }
    return sums;
}

}  // namespace espalier
