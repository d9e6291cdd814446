#include "nn/router.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <span>

#include "base/error.h"
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

torch::Tensor choose_top_k(const torch::Tensor& scores, std::int64_t top_k) {
    const std::int64_t tokens = scores.size(0);
    torch::Tensor selected = torch::empty({tokens, top_k}, torch::kInt64);
    const std::span<const float> all = values(scores);
    const auto experts = static_cast<std::size_t>(scores.size(1));
    const auto k = static_cast<std::size_t>(top_k);
    auto* out = selected.data_ptr<std::int64_t>();
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
        choose(all.subspan(t * experts, experts), {out + t * k, k});
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
    for (std::size_t i = 0; i < removed.size(); ++i) {
        mask[static_cast<std::int64_t>(i)] = static_cast<bool>(removed[i]);
    }
    return mask;
}

}  // namespace

Routing route(const RouterConfig& config, const Linear& router, const torch::Tensor& rows,
              const std::vector<bool>& removed) {
    const torch::Tensor gone = removed_experts(config, removed);
    Routing routing;
    routing.logits = router(rows);
    if (gone.defined()) routing.logits = routing.logits.masked_fill(gone, kMinusInfinity);
    const torch::Tensor probs = config.scoring == RouterScoring::Softmax
                                    ? torch::softmax(routing.logits, -1)
                                    : torch::sigmoid(routing.logits);
    // A kept expert's probability may round to 0: what is gone must still lose against it.
    torch::Tensor scores = probs.detach();
    if (gone.defined()) scores = scores.masked_fill(gone, kMinusInfinity);
    routing.selected = choose_top_k(scores.contiguous(), config.top_k);
    routing.weights = probs.gather(1, routing.selected);
    if (config.normalises_top_k) routing.weights = routing.weights / routing.weights.sum(1, true);
    return routing;
}

}  // namespace espalier
