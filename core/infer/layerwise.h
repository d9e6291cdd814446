#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "infer/native_model.h"
#include "tensor/buffer.h"

namespace espalier {

/// Who watches a window; may be empty or answer null: nobody. Asked again in every layer.
using ObserverOf = std::function<ForwardObserver*(std::size_t window)>;
/// Logits [rows, vocab] of a window's tokens from `first_token` on.
using LogitsSink =
    std::function<void(std::size_t window, std::size_t first_token, std::span<const float> logits)>;

/// Hidden states of many independent windows of tokens on their way through the layers, which are
/// outermost: each layer's weights are read once and serve all windows. The states are float32,
/// hidden_size * 4 bytes a token. Same numbers as NativeModel::forward() on each window alone.
class LayerwisePass {
public:
    /// Starts with the embeddings. Keeps `model` and `windows` by reference.
    /// @throws Error DataLine for an id outside the vocabulary
    LayerwisePass(NativeModel& model, std::span<const std::vector<std::int32_t>> windows);

    /// @throws Cancelled on a stop request: the states are of no use then
    void run_layer(std::size_t layer, const ObserverOf& observer_of = {},
                   const std::stop_token& stop = {});
    /// Logits of each window's tokens from `first_token` on, windows and tokens in order.
    void run_head(std::size_t first_token, const LogitsSink& on_logits,
                  const ObserverOf& observer_of = {}, const std::stop_token& stop = {});

    /// [tokens of all windows, hidden]; what is written here goes into the next layer.
    std::span<float> hidden() noexcept { return hidden_.span(); }

private:
    /// Rows [first, last) of a window.
    std::span<float> rows(std::size_t window, std::size_t first, std::size_t last);

    NativeModel& model_;
    std::span<const std::vector<std::int32_t>> windows_;
    std::size_t width_;
    std::vector<std::size_t> begins_ = {0};  ///< of each window, in tokens
    Buffer<float> hidden_;
};

/// Who listens to layer-by-layer scoring. Each function may be empty.
struct LayerwiseSinks {
    LogitsSink on_logits;
    ObserverOf observer_of;
    /// Called when so many of all layers are done.
    std::function<void(std::int64_t layers_done)> on_layer;
};

/// All layers and the head over all windows, for models that do not fit into memory: each layer is
/// given back to the system behind the pass.
/// @throws Error DataLine for an id outside the vocabulary, Cancelled on a stop request
void score_layerwise(NativeModel& model, std::span<const std::vector<std::int32_t>> windows,
                     const LayerwiseSinks& sinks, std::stop_token stop = {});

}  // namespace espalier
