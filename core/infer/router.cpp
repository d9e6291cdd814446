#include "infer/router.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

void score(RouterScoring scoring, std::span<float> logits) {
    if (scoring == RouterScoring::Softmax) {
        kernels::softmax(logits);
        return;
    }
    for (float& logit : logits) logit = 1.0F / (1.0F + std::exp(-logit));
}

/// Ids of the `top_k` highest scores, ascending. Scores that round to the same number are told
/// apart by their logits; of equal logits the lower id wins.
void select_top(std::span<const float> logits, std::vector<std::int32_t>& order,
                std::span<std::int32_t> selected) {
    std::iota(order.begin(), order.end(), 0);
    const auto better = [&](std::int32_t a, std::int32_t b) {
        const float x = logits[static_cast<std::size_t>(a)];
        const float y = logits[static_cast<std::size_t>(b)];
        return x != y ? x > y : a < b;
    };
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(selected.size());
    std::partial_sort(order.begin(), middle, order.end(), better);
    std::copy(order.begin(), middle, selected.begin());
    std::sort(selected.begin(), selected.end());
}

}  // namespace

void route(const RouterConfig& config, std::span<const float> logits, Routing& routing) {
    const auto num_experts = static_cast<std::size_t>(config.num_experts);
    const auto top_k = static_cast<std::size_t>(config.top_k);
    const std::size_t num_tokens = logits.size() / num_experts;
    routing.selected.resize(num_tokens * top_k);
    routing.weights.resize(num_tokens * top_k);
    std::vector<float> scores(num_experts);
    std::vector<std::int32_t> order(num_experts);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        const auto row = logits.subspan(t * num_experts, num_experts);
        const auto selected = std::span(routing.selected).subspan(t * top_k, top_k);
        const auto weights = std::span(routing.weights).subspan(t * top_k, top_k);
        select_top(row, order, selected);
        if (config.scoring == RouterScoring::Softmax && config.normalises_top_k) {
            // Over the chosen logits alone, which is the same number: then removing experts that a
            // token does not choose changes no bit of its result.
            for (std::size_t j = 0; j < top_k; ++j) {
                weights[j] = row[static_cast<std::size_t>(selected[j])];
            }
            kernels::softmax(weights);
            continue;
        }
        std::copy(row.begin(), row.end(), scores.begin());
        score(config.scoring, scores);
        float sum = 0.0F;
        for (std::size_t j = 0; j < top_k; ++j) {
            weights[j] = scores[static_cast<std::size_t>(selected[j])];
            sum += weights[j];
        }
        if (!config.normalises_top_k) continue;
        for (float& weight : weights) weight /= sum;
    }
}

void apply_mask(const ExpertMask& mask, std::int64_t layer, std::int64_t num_experts,
                std::span<float> logits) {
    if (mask.empty()) return;
    const auto width = static_cast<std::size_t>(num_experts);
    for (std::size_t e = 0; e < width; ++e) {
        if (!mask.is_removed(layer, static_cast<std::int64_t>(e))) continue;
        for (std::size_t i = e; i < logits.size(); i += width) {
            logits[i] = -std::numeric_limits<float>::infinity();
        }
    }
}

void validate_mask(const MoeConfig& config, const ExpertMask& mask) {
    if (mask.empty()) return;
    if (mask.removed.size() != config.layers.size()) {
        throw Error(ErrorCode::RunRecipe,
                    fmt::format("The expert mask is for {} layers, the model has {}.",
                                mask.removed.size(), config.layers.size()),
                    "Make the mask from a plan for this model.");
    }
    for (const std::int64_t layer : config.moe_layers()) {
        const auto& row = mask.removed[static_cast<std::size_t>(layer)];
        if (row.empty()) continue;
        const auto num_experts = static_cast<std::int64_t>(row.size());
        const auto kept = static_cast<std::int64_t>(std::count(row.begin(), row.end(), false));
        if (num_experts != config.router.num_experts || kept < config.router.top_k) {
            throw Error(
                ErrorCode::RunRecipe,
                fmt::format("The expert mask keeps {} of {} experts in layer {}; the model has "
                            "{} and needs {} for every token.",
                            kept, num_experts, layer, config.router.num_experts,
                            config.router.top_k),
                "Keep more experts.");
        }
    }
}

}  // namespace espalier
