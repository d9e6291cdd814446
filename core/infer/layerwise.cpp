#include "infer/layerwise.h"

#include <algorithm>

#include "infer/scratch.h"
#include "infer/transformer.h"

namespace espalier {
namespace {

/// Tokens that go through a layer together, as in NativeModel.
constexpr std::size_t kBatchTokens = 512;
/// Tokens whose logits exist at a time: a vocabulary of 150,000 makes 40 MB of them.
constexpr std::size_t kLogitTokens = 64;

/// Calls body(first, last) for consecutive batches of at most `batch` tokens in [begin, end).
template <typename Body>
void for_each_batch(std::size_t begin, std::size_t end, std::size_t batch, Body&& body) {
    for (std::size_t first = begin; first < end; first += batch) {
        body(first, std::min(first + batch, end));
    }
}

ForwardObserver* observer_for(const ObserverOf& observer_of, std::size_t window) {
    return observer_of ? observer_of(window) : nullptr;
}

}  // namespace

LayerwisePass::LayerwisePass(NativeModel& model, std::span<const std::vector<std::int32_t>> windows)
    : model_(model),
      windows_(windows),
      width_(static_cast<std::size_t>(model.config().hidden_size)) {
    for (const auto& window : windows) begins_.push_back(begins_.back() + window.size());
    hidden_ = Buffer<float>(begins_.back() * width_);
    for (std::size_t w = 0; w < windows.size(); ++w) {
        model.transformer().embed(windows[w], rows(w, 0, windows[w].size()));
    }
}

std::span<float> LayerwisePass::rows(std::size_t window, std::size_t first, std::size_t last) {
    return hidden_.span().subspan((begins_[window] + first) * width_, (last - first) * width_);
}

void LayerwisePass::run_layer(std::size_t layer, const ObserverOf& observer_of,
                              const std::stop_token& stop) {
    const Compute compute{model_.pool(), model_.arithmetic(), stop};
    // Every window starts with an empty context: one cache serves them all in turn.
    LayerCache cache = make_layer_cache(model_.config(), layer);
    for (std::size_t w = 0; w < windows_.size(); ++w) {
        for_each_batch(0, windows_[w].size(), kBatchTokens,
                       [&](std::size_t first, std::size_t last) {
                           model_.transformer().run_layer(compute, layer, rows(w, first, last),
                                                          cache, static_cast<std::int64_t>(first),
                                                          observer_for(observer_of, w));
                       });
    }
}

void LayerwisePass::run_head(std::size_t first_token, const LogitsSink& on_logits,
                             const ObserverOf& observer_of, const std::stop_token& stop) {
    const Compute compute{model_.pool(), model_.arithmetic(), stop};
    const auto vocab = static_cast<std::size_t>(model_.config().vocab_size);
    Scratch<float> scratch;
    for (std::size_t w = 0; w < windows_.size(); ++w) {
        for_each_batch(first_token, windows_[w].size(), kLogitTokens,
                       [&](std::size_t first, std::size_t last) {
                           const auto logits = scratch.take((last - first) * vocab);
                           model_.transformer().run_head(compute, rows(w, first, last), logits,
                                                         observer_for(observer_of, w));
                           if (on_logits) on_logits(w, first, logits);
                       });
    }
}

void score_layerwise(NativeModel& model, std::span<const std::vector<std::int32_t>> windows,
                     const LayerwiseSinks& sinks, std::stop_token stop) {
    LayerwisePass pass(model, windows);
    for (std::size_t layer = 0; layer < model.config().layers.size(); ++layer) {
        pass.run_layer(layer, sinks.observer_of, stop);
        model.transformer().release_layer(layer);
        if (sinks.on_layer) sinks.on_layer(static_cast<std::int64_t>(layer) + 1);
    }
    if (sinks.on_logits || sinks.observer_of) {
        pass.run_head(0, sinks.on_logits, sinks.observer_of, stop);
    }
}

}  // namespace espalier
