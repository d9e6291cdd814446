#include "eval/routing_floor.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "eval/compare.h"
#include "eval/window_pass.h"
#include "eval/windows.h"
#include "infer/layerwise.h"
#include "infer/router.h"
#include "infer/transformer.h"
#include "infer/weights.h"
#include "model/tensor_role.h"
#include "tensor/float_formats.h"

namespace espalier {
namespace {

PerplexityOptions few_windows(const RoutingFloorInput& input) {
    PerplexityOptions options = input.options;
    const std::int64_t fit = std::max<std::int64_t>(1, input.max_tokens / options.context);
    options.max_windows = options.max_windows > 0 ? std::min(options.max_windows, fit) : fit;
    return options;
}

/// The same router told by logits in bfloat16.
class RoundedRouter : public ForwardObserver {
public:
    explicit RoundedRouter(const ModelSource& source) : source_(source) {}

    void on_activation(Activation, std::int64_t, std::span<const float>) override {}

    void on_routing(std::int64_t layer, const RoutingView& routing) override {
        const auto experts = static_cast<std::size_t>(routing.num_experts);
        const auto top_k = static_cast<std::size_t>(routing.top_k);
        logits_.assign(routing.logits.begin(), routing.logits.end());
        for (float& logit : logits_) logit = bf16_to_float(float_to_bf16(logit));
        route(source_.config().router, logits_, bias_of(layer), rounded_);
        FidelityAccumulator& sum = sum_of(layer, experts);
        const auto row = [](auto values, std::size_t index, std::size_t width) {
            return values.empty() ? values : values.subspan(index * width, width);
        };
        for (std::size_t t = 0; t < logits_.size() / experts; ++t) {
            sum.add({row(routing.logits, t, experts), row(routing.selected, t, top_k),
                     row(routing.weights, t, top_k),
                     row(std::span<const float>(logits_), t, experts),
                     row(std::span<const std::int32_t>(rounded_.selected), t, top_k),
                     row(std::span<const float>(rounded_.weights), t, top_k),
                     row(routing.scores, t, experts),
                     row(std::span<const float>(rounded_.scores), t, experts)});
        }
    }

    std::vector<LayerFidelity> result() const {
        std::vector<LayerFidelity> layers;
        for (const auto& [layer, sum] : sums_) layers.push_back(sum.result());
        return layers;
    }

private:
    FidelityAccumulator& sum_of(std::int64_t layer, std::size_t experts) {
        const auto found = sums_.find(layer);
        if (found != sums_.end()) return found->second;
        FidelityScope scope{.layer = layer, .router = source_.config().router, .kept = {}};
        scope.kept.resize(experts);
        std::iota(scope.kept.begin(), scope.kept.end(), 0);
        return sums_.emplace(layer, FidelityAccumulator(std::move(scope))).first->second;
    }

    std::span<const float> bias_of(std::int64_t layer) {
        const TensorKey key{TensorRole::RouterSelectionBias, static_cast<std::int32_t>(layer)};
        if (!source_.config().router.has_selection_bias) return {};
        const auto [found, is_new] = biases_.try_emplace(layer);
        if (is_new) found->second = load_vector(source_, key);
        return found->second;
    }

    const ModelSource& source_;
    std::vector<float> logits_;
    Routing rounded_;
    std::map<std::int64_t, std::vector<float>> biases_;
    std::map<std::int64_t, FidelityAccumulator> sums_;
};

std::vector<LayerFidelity> rounded_router(NativeModel& model, const RoutingFloorInput& input,
                                          const std::stop_token& stop) {
    std::vector<std::vector<std::int32_t>> windows;
    for (const ScoredWindow& window :
         cut_windows(static_cast<std::int64_t>(input.ids.size()), few_windows(input))) {
        windows.push_back(window_tokens(input.ids, window, input.options.bos_token));
    }
    RoundedRouter observer(model.source());
    LayerwisePass pass(model, windows);
    for (std::size_t layer = 0; layer < model.config().layers.size(); ++layer) {
        pass.run_layer(
            layer, [&](std::size_t) { return &observer; }, stop);
        if (input.streams_layers) model.transformer().release_layer(layer);
    }
    return observer.result();
}

}  // namespace

RoutingFloor routing_floor(NativeModel& model, const RoutingFloorInput& input,
                           std::stop_token stop) {
    NativeModel other(model.source(), model.pool());
    other.set_arithmetic(model.arithmetic() == Arithmetic::Float32 ? Arithmetic::Integer16
                                                                   : Arithmetic::Float32);
    const Comparison comparison = compare_models({.reference = model,
                                                  .model = other,
                                                  .expert_map = {},
                                                  .ids = input.ids,
                                                  .options = few_windows(input),
                                                  .streams_layers = input.streams_layers},
                                                 {}, stop);
    RoutingFloor floor;
    floor.kernels = comparison.routing;
    floor.flip_any = comparison.flip_any;
    floor.router = rounded_router(model, input, stop);
    return floor;
}

}  // namespace espalier
