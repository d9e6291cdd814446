#include "infer/router.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "kernels/vector_ops.h"
#include "model/router_groups.h"

namespace espalier {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

void score(RouterScoring scoring, std::span<float> logits) {
    if (scoring == RouterScoring::Softmax) {
        kernels::softmax(logits);
        return;
    }
    for (float& logit : logits) logit = 1.0F / (1.0F + std::exp(-logit));
}

/// Scores that round to the same number are told apart by their logits, wherever those have the
/// order of the scores.
bool chooses_by_logits(const RouterConfig& config) {
    return !config.has_selection_bias &&
           (config.num_groups <= 1 || config.group_score == GroupScore::Max);
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

    /// One token, of which `chosen_by` gets what its choice is made by, if it is not empty.
    void route(std::span<const float> logits, std::span<std::int32_t> selected,
               std::span<float> weights, std::span<float> chosen_by) {
        const bool is_local = weighs_chosen_alone(config_);
        const bool by_logits = chooses_by_logits(config_);
        if (!is_local || !by_logits) {
            std::copy(logits.begin(), logits.end(), scores_.begin());
            score(config_.scoring, scores_);
        }
        rate(logits, by_logits);
        if (!chosen_by.empty()) std::copy(choice_.begin(), choice_.end(), chosen_by.begin());
        keep_best_groups(config_, choice_);
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

// Over the chosen logits alone, the normalised softmax is the same number: then removing experts
// that a token does not choose changes no bit of its result.
bool weighs_chosen_alone(const RouterConfig& config) noexcept {
    return config.scoring == RouterScoring::Softmax && config.normalises_top_k &&
           config.normalising_epsilon == 0.0;
}

void route(const RouterConfig& config, std::span<const float> logits,
           std::span<const float> selection_bias, Routing& routing) {
    const auto num_experts = static_cast<std::size_t>(config.num_experts);
    const auto top_k = static_cast<std::size_t>(config.top_k);
    const std::size_t num_tokens = logits.size() / num_experts;
    routing.selected.resize(num_tokens * top_k);
    routing.weights.resize(num_tokens * top_k);
    routing.scores.resize(chooses_by_logits(config) ? 0 : logits.size());
    TokenRouter router(config, selection_bias);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        router.route(logits.subspan(t * num_experts, num_experts),
                     std::span(routing.selected).subspan(t * top_k, top_k),
                     std::span(routing.weights).subspan(t * top_k, top_k),
                     routing.scores.empty()
                         ? std::span<float>()
                         : std::span(routing.scores).subspan(t * num_experts, num_experts));
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
        const RouterConfig router = config.router_of(layer);
        if (num_experts != router.num_experts || kept < router.top_k) {
            throw Error(
                ErrorCode::RunRecipe,
                fmt::format("The expert mask keeps {} of {} experts in layer {}; the model has "
                            "{} and needs {} for every token.",
                            kept, num_experts, layer, router.num_experts, router.top_k),
                "Keep more experts.");
        }
    }
}

}  // namespace espalier
