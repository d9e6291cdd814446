#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "infer/native_model.h"

namespace espalier {

/// Who listens to layer-by-layer scoring. Each function may be empty.
struct LayerwiseSinks {
    /// Logits [rows, vocab] of a window's tokens from `first_token` on, windows and tokens in
    /// order.
    std::function<void(std::size_t window, std::size_t first_token, std::span<const float> logits)>
        on_logits;
    /// What watches a window (null: nobody); asked again in every layer.
    std::function<ForwardObserver*(std::size_t window)> observer_of;
    /// Called when so many of all layers are done.
    std::function<void(std::int64_t layers_done)> on_layer;
};

/// Runs many independent windows of tokens with the layers outermost, for models that do not fit
/// into memory: each layer is read once, serves all windows, and is given back to the system.
/// Hidden states wait between layers in float32: hidden_size * 4 bytes a token. Same numbers as
/// NativeModel::forward() on each window alone.
/// @throws Error DataLine for an id outside the vocabulary, Cancelled on a stop request
void score_layerwise(NativeModel& model, std::span<const std::vector<std::int32_t>> windows,
                     const LayerwiseSinks& sinks, std::stop_token stop = {});

}  // namespace espalier
