#include "nn/router.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <span>

#include "base/error.h"
#include "model/router_groups.h"
#include "nn/torch_tensors.h"

namespace espalier {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// The best `chosen.size()` of one row, ascending by id. Only a strictly greater score displaces an
/// earlier expert, so ties fall to the lower id.
void choose(std::span<const float> scores, std::span<std::int64_t> chosen) {
    const std::size_t k = chosen.size();
    const auto better = [&](std::size_t a, std::int64_t b) {
        return scores[a] > scores[static_cast<std::size_t>(b)];
    };
    for (std::size_t expert = 0; expert < scores.size(); ++expert) {
        std::size_t place = std::min(expert, k);  // chosen[0, place) is sorted, best first
        if (place == k && !better(expert, chosen[k - 1])) continue;
        if (place == k) --place;
        while (place > 0 && better(expert, chosen[place - 1])) {
            chosen[place] = chosen[place - 1];
            --place;
        }
        chosen[place] = static_cast<std::int64_t>(expert);
    }
    std::sort(chosen.begin(), chosen.end());
}

torch::Tensor choose_top_k(const RouterConfig& config, const torch::Tensor& scores) {
    const auto experts = static_cast<std::size_t>(scores.size(1));
    const auto k = static_cast<std::size_t>(config.top_k);
    torch::Tensor selected = torch::empty({scores.size(0), config.top_k}, torch::kInt64);
    const std::span<const float> all = values(scores);
    auto* out = selected.data_ptr<std::int64_t>();
    std::vector<float> row(experts);
    for (std::size_t t = 0; t < static_cast<std::size_t>(scores.size(0)); ++t) {
        const auto of_token = all.subspan(t * experts, experts);
        std::copy(of_token.begin(), of_token.end(), row.begin());
        keep_best_groups(config, row);
        choose(row, {out + t * k, k});
    }
    return selected;
}

/// [experts] bool, or undefined if nothing is removed.
torch::Tensor removed_experts(const RouterConfig& config, const std::vector<bool>& removed) {
    const auto gone = std::count(removed.begin(), removed.end(), true);
    if (gone == 0) return {};
    if (config.num_experts - gone < config.top_k) {
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("The mask leaves {} of {} experts, but {} are needed for a token.",
                                config.num_experts - gone, config.num_experts, config.top_k),
                    "Keep at least as many experts as the model uses for one token.");
    }
    torch::Tensor mask = torch::zeros({config.num_experts}, torch::kBool);
    std::copy(removed.begin(), removed.end(), mask.data_ptr<bool>());
    return mask;
}

/// Scores keep the order of the logits unless a bias is added, or groups are judged by sums. Then
/// the logits decide, which no softmax has rounded.
bool has_order_of_logits(const RouterConfig& config) {
    if (config.has_selection_bias) return false;
    return config.num_groups <= 1 || config.group_score == GroupScore::Max;
}

torch::Tensor weights_of(const RouterConfig& config, const torch::Tensor& scores,
                         const torch::Tensor& selected) {
    torch::Tensor weights = scores.gather(1, selected);
    if (config.normalises_top_k) {
        weights = weights / (weights.sum(1, true) + config.normalising_epsilon);
    }
    return config.scale == 1.0 ? weights : weights * config.scale;
}

}  // namespace

RoutedRows route(const RouterConfig& config, const RouterWeights& router, const torch::Tensor& rows,
                 const std::vector<bool>& removed) {
    return route_logits(config, router, router.linear(rows), removed);
}

RoutedRows route_logits(const RouterConfig& config, const RouterWeights& router,
                        const torch::Tensor& logits, const std::vector<bool>& removed) {
    const torch::Tensor gone = removed_experts(config, removed);
    RoutedRows routing;
    routing.logits = logits;
    if (gone.defined()) routing.logits = routing.logits.masked_fill(gone, kMinusInfinity);
    const torch::Tensor scores = config.scoring == RouterScoring::Softmax
                                     ? torch::softmax(routing.logits, -1)
                                     : torch::sigmoid(routing.logits);
    if (!has_order_of_logits(config)) {
        routing.scores = scores.detach();
        if (config.has_selection_bias) routing.scores = routing.scores + router.selection_bias;
        if (gone.defined()) routing.scores = routing.scores.masked_fill(gone, kMinusInfinity);
    }
    const torch::Tensor& ranked = routing.scores.defined() ? routing.scores : routing.logits;
    routing.selected = choose_top_k(config, ranked.detach().contiguous());
    routing.weights = weights_of(config, scores, routing.selected);
    return routing;
}

}  // namespace espalier
