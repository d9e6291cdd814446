#include "eval/routing_recorder.h"

namespace espalier {
namespace {

template <typename T>
void append(std::vector<T>& values, std::span<const T> more) {
    values.insert(values.end(), more.begin(), more.end());
}

}  // namespace

std::span<const float> RoutingRecorder::Layer::logits_of(std::size_t token) const {
    return std::span(logits).subspan(token * num_experts, num_experts);
}

std::span<const std::int32_t> RoutingRecorder::Layer::selected_of(std::size_t token) const {
    return std::span(selected).subspan(token * top_k, top_k);
}

std::span<const float> RoutingRecorder::Layer::weights_of(std::size_t token) const {
    return std::span(weights).subspan(token * top_k, top_k);
}

std::span<const float> RoutingRecorder::Layer::scores_of(std::size_t token) const {
    if (scores.empty()) return {};
    return std::span(scores).subspan(token * num_experts, num_experts);
}

void RoutingRecorder::on_activation(Activation /*what*/, std::int64_t /*index*/,
                                    std::span<const float> /*rows*/) {}

void RoutingRecorder::on_routing(std::int64_t index, const RoutingView& routing) {
    Layer& layer = layers_[index];
    layer.num_experts = static_cast<std::size_t>(routing.num_experts);
    layer.top_k = static_cast<std::size_t>(routing.top_k);
    append(layer.logits, routing.logits);
    append(layer.selected, routing.selected);
    append(layer.weights, routing.weights);
    append(layer.scores, routing.scores);
}

void RoutingRecorder::on_routed_output(std::int64_t index, std::span<const float> rows) {
    append(layers_[index].outputs, rows);
}

void RoutingRecorder::clear() { layers_.clear(); }

}  // namespace espalier
