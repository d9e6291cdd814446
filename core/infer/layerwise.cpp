#include "infer/layerwise.h"

#include <algorithm>
#include <utility>

#include "infer/scratch.h"
#include "infer/transformer.h"

namespace espalier {
namespace {

/// Tokens that go through a layer together, as in NativeModel.
constexpr std::size_t kBatchTokens = 512;
/// Tokens whose logits exist at a time: a vocabulary of 150,000 makes 40 MB of them.
constexpr std::size_t kLogitTokens = 64;

/// Hidden states of all windows, one after the other.
class WindowStates {
public:
    WindowStates(std::span<const std::vector<std::int32_t>> windows, std::size_t width)
        : width_(width) {
        for (const auto& window : windows) begins_.push_back(begins_.back() + window.size());
        values_ = Buffer<float>(begins_.back() * width);
    }

    std::size_t num_tokens(std::size_t window) const {
        return begins_[window + 1] - begins_[window];
    }
    /// Rows [first, last) of a window, [tokens, hidden].
    std::span<float> rows(std::size_t window, std::size_t first, std::size_t last) {
        return values_.span().subspan((begins_[window] + first) * width_, (last - first) * width_);
    }

private:
    std::size_t width_;
    std::vector<std::size_t> begins_ = {0};
    Buffer<float> values_;
};

/// Calls body(first, last) for consecutive batches of `count` tokens.
template <typename Body>
void for_each_batch(std::size_t count, std::size_t batch, Body&& body) {
    for (std::size_t first = 0; first < count; first += batch) {
        body(first, std::min(first + batch, count));
    }
}

ForwardObserver* observer_for(const LayerwiseSinks& sinks, std::size_t window) {
    return sinks.observer_of ? sinks.observer_of(window) : nullptr;
}

void run_heads(Transformer& transformer, const Compute& compute, const LayerwiseSinks& sinks,
               WindowStates& states, std::size_t num_windows) {
    const auto vocab = static_cast<std::size_t>(transformer.config().vocab_size);
    Scratch<float> scratch;
    for (std::size_t w = 0; w < num_windows; ++w) {
        for_each_batch(states.num_tokens(w), kLogitTokens,
                       [&](std::size_t first, std::size_t last) {
                           const auto logits = scratch.take((last - first) * vocab);
                           transformer.run_head(compute, states.rows(w, first, last), logits,
                                                observer_for(sinks, w));
                           if (sinks.on_logits) sinks.on_logits(w, first, logits);
                       });
    }
}

}  // namespace

void score_layerwise(NativeModel& model, std::span<const std::vector<std::int32_t>> windows,
                     const LayerwiseSinks& sinks, std::stop_token stop) {
    Transformer& transformer = model.transformer();
    const MoeConfig& config = model.config();
    const Compute compute{model.pool(), model.arithmetic(), std::move(stop)};
    WindowStates states(windows, static_cast<std::size_t>(config.hidden_size));
    for (std::size_t w = 0; w < windows.size(); ++w) {
        transformer.embed(windows[w], states.rows(w, 0, windows[w].size()));
    }
    for (std::size_t layer = 0; layer < config.layers.size(); ++layer) {
        // Every window starts with an empty context: one cache serves them all in turn.
        LayerCache cache = make_layer_cache(config, layer);
        for (std::size_t w = 0; w < windows.size(); ++w) {
            for_each_batch(
                windows[w].size(), kBatchTokens, [&](std::size_t first, std::size_t last) {
                    transformer.run_layer(compute, layer, states.rows(w, first, last), cache,
                                          static_cast<std::int64_t>(first), observer_for(sinks, w));
                });
        }
        transformer.release_layer(layer);
        if (sinks.on_layer) sinks.on_layer(static_cast<std::int64_t>(layer) + 1);
    }
    if (sinks.on_logits || sinks.observer_of) {
        run_heads(transformer, compute, sinks, states, windows.size());
    }
}

}  // namespace espalier
