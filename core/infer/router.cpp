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

constexpr float kMasked = -std::numeric_limits<float>::infinity();
/// Of experts in groups that are not considered: they come after all others, but before masked
/// ones.
constexpr float kOutside = std::numeric_limits<float>::lowest();

void score(RouterScoring scoring, std::span<float> logits) {
    if (scoring == RouterScoring::Softmax) {
        kernels::softmax(logits);
        return;
    }
    for (float& logit : logits) logit = 1.0F / (1.0F + std::exp(-logit));
}

/// Sum of a group's two largest values; of what is there, if fewer are not masked.
float best_two(std::span<const float> values) {
    float best = kMasked;
    float second = kMasked;
    for (const float value : values) {
        if (value > best) {
            second = best;
            best = value;
        } else if (value > second) {
            second = value;
        }
    }
    return second == kMasked ? best : best + second;
}

/// Routes token by token.
class TokenRouter {
public:
    TokenRouter(const RouterConfig& config, std::span<const float> selection_bias)
        : config_(config),
          bias_(selection_bias),
          scores_(static_cast<std::size_t>(config.num_experts)),
          choice_(scores_.size()),
          order_(scores_.size()) {}

    void route(std::span<const float> logits, std::span<std::int32_t> selected,
               std::span<float> weights) {
        // Over the chosen logits alone, the normalised softmax is the same number: then removing
        // experts that a token does not choose changes no bit of its result.
        const bool is_local = config_.scoring == RouterScoring::Softmax &&
                              config_.normalises_top_k && config_.normalising_epsilon == 0.0;
        // Scores that round to the same number are told apart by their logits.
        const bool by_logits =
            bias_.empty() && (config_.num_groups <= 1 || config_.group_score == GroupScore::Max);
        if (!is_local || !by_logits) {
            std::copy(logits.begin(), logits.end(), scores_.begin());
            score(config_.scoring, scores_);
        }
        rate(logits, by_logits);
        if (config_.num_groups > 1) keep_best_groups();
        select(selected);
        for (std::size_t j = 0; j < selected.size(); ++j) {
            const auto expert = static_cast<std::size_t>(selected[j]);
            weights[j] = is_local ? logits[expert] : scores_[expert];
        }
        if (is_local) {
            kernels::softmax(weights);
        } else if (config_.normalises_top_k) {
            normalise(weights);
        }
        if (config_.scale == 1.0) return;
        for (float& weight : weights) weight *= static_cast<float>(config_.scale);
    }

private:
    /// Fills choice_, what the top-k is taken of.
    void rate(std::span<const float> logits, bool by_logits) {
        for (std::size_t e = 0; e < choice_.size(); ++e) {
            if (by_logits || logits[e] == kMasked) {
                choice_[e] = logits[e];
            } else {
                choice_[e] = scores_[e] + (bias_.empty() ? 0.0F : bias_[e]);
            }
        }
    }

    void keep_best_groups() {
        const auto num_groups = static_cast<std::size_t>(config_.num_groups);
        const std::size_t size = choice_.size() / num_groups;
        const auto group = [&](std::size_t g) {
            return std::span(choice_).subspan(g * size, size);
        };
        std::vector<float> ratings(num_groups);
        std::vector<std::size_t> best(num_groups);
        for (std::size_t g = 0; g < num_groups; ++g) {
            ratings[g] = config_.group_score == GroupScore::Max
                             ? *std::max_element(group(g).begin(), group(g).end())
                             : best_two(group(g));
        }
        std::iota(best.begin(), best.end(), std::size_t{0});
        std::stable_sort(best.begin(), best.end(),
                         [&](std::size_t a, std::size_t b) { return ratings[a] > ratings[b]; });
        for (const std::size_t g :
             std::span(best).subspan(static_cast<std::size_t>(config_.top_groups))) {
            for (float& value : group(g)) value = std::min(value, kOutside);
        }
    }

    /// Ids of the highest choices, ascending; the lower id of equals.
    void select(std::span<std::int32_t> selected) {
        std::iota(order_.begin(), order_.end(), 0);
        const auto better = [&](std::int32_t a, std::int32_t b) {
            const float x = choice_[static_cast<std::size_t>(a)];
            const float y = choice_[static_cast<std::size_t>(b)];
            return x != y ? x > y : a < b;
        };
        const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(selected.size());
        std::partial_sort(order_.begin(), middle, order_.end(), better);
        std::copy(order_.begin(), middle, selected.begin());
        std::sort(selected.begin(), selected.end());
    }

    void normalise(std::span<float> weights) const {
        float sum = static_cast<float>(config_.normalising_epsilon);
        for (const float weight : weights) sum += weight;
        for (float& weight : weights) weight /= sum;
    }

    const RouterConfig& config_;
    std::span<const float> bias_;
    std::vector<float> scores_;
    std::vector<float> choice_;
    std::vector<std::int32_t> order_;
};

}  // namespace

void route(const RouterConfig& config, std::span<const float> logits,
           std::span<const float> selection_bias, Routing& routing) {
    const auto num_experts = static_cast<std::size_t>(config.num_experts);
    const auto top_k = static_cast<std::size_t>(config.top_k);
    const std::size_t num_tokens = logits.size() / num_experts;
    routing.selected.resize(num_tokens * top_k);
    routing.weights.resize(num_tokens * top_k);
    TokenRouter router(config, selection_bias);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        router.route(logits.subspan(t * num_experts, num_experts),
                     std::span(routing.selected).subspan(t * top_k, top_k),
                     std::span(routing.weights).subspan(t * top_k, top_k));
    }
}

void apply_mask(const ExpertMask& mask, std::int64_t layer, std::int64_t num_experts,
                std::span<float> logits) {
    if (mask.empty()) return;
    const auto width = static_cast<std::size_t>(num_experts);
    for (std::size_t e = 0; e < width; ++e) {
        if (!mask.is_removed(layer, static_cast<std::int64_t>(e))) continue;
        for (std::size_t i = e; i < logits.size(); i += width) {
            logits[i] = kMasked;
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
