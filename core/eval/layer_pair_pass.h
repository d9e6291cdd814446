#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "eval/layer_comparison.h"
#include "infer/layerwise.h"
#include "infer/native_model.h"

namespace espalier {

/// Two models side by side over the same windows, layers outermost: each layer's weights are read
/// once and need not stay, so that either model may be larger than memory. Holds both models'
/// hidden states, float32.
class LayerPairPass {
public:
    /// Batches of one window: rows of the batch are the window's tokens from `first_token` on.
    using OnRows =
        std::function<void(std::size_t window, std::size_t first_token, const LayerRows& rows)>;

    /// Keeps everything by reference.
    LayerPairPass(NativeModel& reference, NativeModel& model,
                  std::span<const std::vector<std::int32_t>> windows);

    /// Runs layer `layer` of both models, as far as they have it.
    /// @param alignment null: nothing of this layer is compared
    void run_layer(std::size_t layer, const LayerAlignment* alignment, const OnRows& on_rows,
                   const std::stop_token& stop = {});
    /// Gives the weights of a layer back.
    void release_layer(std::size_t layer);

    /// Hidden states after all layers: [count, hidden] of a window's tokens.
    std::span<const float> reference_rows(std::size_t window, std::size_t first,
                                          std::size_t count) {
        return reference_.rows(window, first, count);
    }
    std::span<const float> model_rows(std::size_t window, std::size_t first, std::size_t count) {
        return model_.rows(window, first, count);
    }

private:
    /// One of the models, and its states.
    struct Side {
        Side(NativeModel& source, std::span<const std::vector<std::int32_t>> windows);
        std::span<float> rows(std::size_t window, std::size_t first, std::size_t count);
        bool has(std::size_t layer) const;

        NativeModel& native;
        std::size_t width;
        std::vector<std::size_t> begins = {0};  ///< of each window, in tokens
        LayerwisePass pass;
        RoutingRecorder routing;
    };
    struct Batch {
        std::size_t window = 0;
        std::size_t first = 0;
        std::size_t count = 0;
    };

    void run_reference(std::size_t layer, const Batch& batch, LayerCache& cache, bool is_compared,
                       const std::stop_token& stop);
    void run_local(std::size_t layer, const std::stop_token& stop);
    void run_lost(std::size_t layer, const LayerAlignment& alignment, const std::stop_token& stop);
    void run_model(std::size_t layer, const Batch& batch, LayerCache& cache,
                   const std::stop_token& stop);

    std::span<const std::vector<std::int32_t>> windows_;
    Side reference_;
    Side model_;
    RoutingRecorder local_;
    std::vector<float> residual_;  ///< of the reference, between mixer and feed-forward
    std::vector<float> lost_;
};

}  // namespace espalier
