#include "infer/transformer.h"

#include <fmt/format.h>
#include <string>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "kernels/decode.h"
#include "kernels/vector_ops.h"

namespace espalier {
namespace {

constexpr std::size_t kNormTokens = 16;

/// Heads must fall into groups, rotary dimensions into pairs, experts into groups.
void check_shapes(const MoeConfig& config) {
    const AttentionConfig& attention = config.attention;
    const RopeConfig& rope = attention.rope;
    const DeltaNetConfig& delta = config.delta_net;
    const RouterConfig& router = config.router;
    const auto require = [&](bool holds, const std::string& what) {
        if (holds) return;
        throw Error(ErrorCode::ArchConfig, fmt::format("{} cannot be computed.", what),
                    "Compare config.json with the model's original.");
    };
    require(attention.num_kv_heads > 0 && attention.head_dim > 0 &&
                attention.num_heads % attention.num_kv_heads == 0 && rope.rotated_dims >= 0 &&
                rope.rotated_dims % 2 == 0 && rope.rotated_dims <= attention.head_dim,
            fmt::format("{} heads over {} key/value heads of {} with {} rotated dimensions",
                        attention.num_heads, attention.num_kv_heads, attention.head_dim,
                        rope.rotated_dims));
    require(router.num_groups > 0 && router.num_experts % router.num_groups == 0 &&
                router.top_groups > 0 && router.top_groups <= router.num_groups,
            fmt::format("The best {} of {} groups of {} experts", router.top_groups,
                        router.num_groups, router.num_experts));
    for (const LayerConfig& layer : config.layers) {
        if (layer.mixer == MixerKind::DeltaNet) {
            require(delta.num_key_heads > 0 && delta.key_dim > 0 && delta.kernel > 0 &&
                        delta.num_value_heads % delta.num_key_heads == 0,
                    fmt::format("A DeltaNet of {} value heads over {} key heads of {}",
                                delta.num_value_heads, delta.num_key_heads, delta.key_dim));
        }
        if (layer.mixer == MixerKind::LatentAttention) {
            require(rope.rotated_dims == attention.latent.rope_dim,
                    fmt::format("Latent attention with {} of {} dimensions rotated",
                                rope.rotated_dims, attention.latent.rope_dim));
        }
    }
}

/// x *= factor, unless it is 1.
void scale(double factor, std::span<float> x) {
    if (factor == 1.0) return;
    for (float& value : x) value *= static_cast<float>(factor);
}

std::vector<LayerWeights> load_layers(const ModelSource& source) {
    check_shapes(source.config());
    std::vector<LayerWeights> layers;
    for (std::int32_t i = 0; i < source.config().num_layers(); ++i) {
        layers.push_back(load_layer_weights(source, i));
    }
    return layers;
}

/// Who is told of a layer's parts.
ForwardObserver* watcher_of(ForwardObserver* observer) {
    return observer != nullptr && observer->watches_parts() ? observer : nullptr;
}

void tell(ForwardObserver* observer, Activation what, std::size_t index,
          std::span<const float> rows) {
    if (observer != nullptr) {
        observer->on_activation(what, static_cast<std::int64_t>(index), rows);
    }
}

}  // namespace

Transformer::Transformer(const ModelSource& source)
    : source_(source),
      layers_(load_layers(source)),
      embedding_(source, {TensorRole::TokenEmbedding}),
      output_norm_(load_vector(source, {TensorRole::OutputNorm})),
      rope_(source.config().attention.rope),
      mixer_(source.config()),
      feed_forward_(source.config()) {
    if (source.has({TensorRole::Output})) output_ = WeightMatrix(source, {TensorRole::Output});
    embedding_.prepare();
    output_.prepare();
}

void Transformer::set_mask(ExpertMask mask) {
    validate_mask(config(), mask);
    mask_ = std::move(mask);
}

void Transformer::embed(std::span<const std::int32_t> tokens, std::span<float> out) const {
    const kernels::MatrixView& table = embedding_.view();
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        const std::int32_t id = tokens[t];
        if (id < 0 || static_cast<std::size_t>(id) >= table.rows) {
            throw Error(
                ErrorCode::DataLine,
                fmt::format("Token {} of the input has id {}, the vocabulary has ids 0 to {}.", t,
                            id, table.rows - 1),
                "Tokenise the text with this model's own tokenizer.");
        }
        kernels::decode(table.dtype, {table.row(static_cast<std::size_t>(id)), table.row_stride},
                        out.subspan(t * table.columns, table.columns));
    }
    scale(config().embedding_multiplier, out.first(tokens.size() * table.columns));
}

void Transformer::add_to_residual(std::span<const float> x, std::span<float> hidden) const {
    if (config().residual_multiplier == 1.0) {
        kernels::add(x, hidden);
    } else {
        kernels::add_scaled(static_cast<float>(config().residual_multiplier), x, hidden);
    }
}

void Transformer::release_layer(std::size_t layer) {
    layers_.at(layer).release();
    source_.release_layer(static_cast<std::int32_t>(layer));
}

void Transformer::normalise(const Compute& compute, std::span<const float> x,
                            std::span<const float> weight, std::span<float> out) const {
    const std::size_t width = weight.size();
    const auto eps = static_cast<float>(config().rms_norm_eps);
    compute.pool.parallel_for(x.size() / width, kNormTokens,
                              [&](std::size_t begin, std::size_t end) {
                                  for (std::size_t t = begin; t < end; ++t) {
                                      kernels::rms_norm(x.subspan(t * width, width), weight, eps,
                                                        out.subspan(t * width, width));
                                  }
                              });
}

void Transformer::run_layer(const Compute& compute, std::size_t layer, std::span<float> hidden,
                            LayerCache& cache, std::int64_t position, ForwardObserver* observer) {
    run_mixer(compute, layer, hidden, cache, position, observer);
    run_feed_forward(compute, layer, hidden, observer);
}

void Transformer::run_mixer(const Compute& compute, std::size_t layer, std::span<float> hidden,
                            LayerCache& cache, std::int64_t position, ForwardObserver* observer) {
    throw_if_stopped(compute.stop);
    LayerWeights& weights = layers_.at(layer);
    weights.prepare();
    const auto width = static_cast<std::size_t>(config().hidden_size);
    const std::size_t num_tokens = hidden.size() / width;
    const auto normalised = normalised_.take(hidden.size());
    const auto step_out = step_out_.take(hidden.size());
    tell(observer, Activation::HiddenStates, layer, hidden);

    rope_.prepare(position, num_tokens);
    normalise(compute, hidden, weights.mixer_norm, normalised);
    rows_.assign(compute, normalised, width);
    mixer_.forward(compute, weights.mixer, cache,
                   {.x = rows_,
                    .rope = rope_,
                    .position = position,
                    .sliding_window = config().layers[layer].sliding_window,
                    .observer = watcher_of(observer)},
                   step_out);
    tell(observer, Activation::AttentionOutput, layer, step_out);
    add_to_residual(step_out, hidden);
}

void Transformer::prepare_feed_forward(const Compute& compute, std::size_t layer,
                                       std::span<const float> hidden) {
    throw_if_stopped(compute.stop);
    LayerWeights& weights = layers_.at(layer);
    weights.prepare();
    const auto normalised = normalised_.take(hidden.size());
    normalise(compute, hidden, weights.feed_forward_norm, normalised);
    rows_.assign(compute, normalised, static_cast<std::size_t>(config().hidden_size));
}

void Transformer::run_feed_forward(const Compute& compute, std::size_t layer,
                                   std::span<float> hidden, ForwardObserver* observer) {
    prepare_feed_forward(compute, layer, hidden);
    if (ForwardObserver* watcher = watcher_of(observer)) watcher->on_residual(hidden);
    const auto step_out = step_out_.take(hidden.size());
    feed_forward(compute, layer, step_out, observer);
    tell(observer, Activation::FeedForwardOutput, layer, step_out);
    add_to_residual(step_out, hidden);
}

void Transformer::run_experts(const Compute& compute, std::size_t layer,
                              std::span<const float> hidden, const Routing& routing,
                              std::span<float> out) {
    prepare_feed_forward(compute, layer, hidden);
    feed_forward_.forward_experts(compute, layers_[layer], rows_, routing, out);
    scale_routed(layer, out);
}

void Transformer::scale_routed(std::size_t layer, std::span<float> out) const {
    const float scale = mask_.output_scale_of(static_cast<std::int64_t>(layer));
    if (scale == 1.0F) return;
    for (float& value : out) value *= scale;
}

void Transformer::feed_forward(const Compute& compute, std::size_t layer, std::span<float> out,
                               ForwardObserver* observer) {
    LayerWeights& weights = layers_[layer];
    if (config().layers[layer].feed_forward == FeedForwardKind::Dense) {
        feed_forward_.forward_dense(compute, weights, rows_, out, watcher_of(observer));
        return;
    }
    const RouterConfig router = config().router_of(static_cast<std::int64_t>(layer));
    const auto logits =
        router_logits_.take(rows_.num_rows() * static_cast<std::size_t>(router.num_experts));
    linear({compute.pool, Arithmetic::Float32, compute.stop}, weights.router.view(), rows_, logits);
    add_bias(weights.router_bias, logits);
    apply_mask(mask_, static_cast<std::int64_t>(layer), router.num_experts, logits);
    route(router, logits, weights.selection_bias, routing_);
    if (observer != nullptr) {
        observer->on_routing(static_cast<std::int64_t>(layer), {.num_experts = router.num_experts,
                                                                .top_k = router.top_k,
                                                                .logits = logits,
                                                                .selected = routing_.selected,
                                                                .weights = routing_.weights,
                                                                .scores = routing_.scores});
    }
    feed_forward_.forward_experts(compute, weights, rows_, routing_, out, watcher_of(observer));
    scale_routed(layer, out);
    if (observer != nullptr) observer->on_routed_output(static_cast<std::int64_t>(layer), out);
    if (!weights.shared.gate.is_empty()) {
        feed_forward_.add_shared(compute, weights, rows_, out, watcher_of(observer));
    }
}

void Transformer::run_head(const Compute& compute, std::span<const float> hidden,
                           std::span<float> logits, ForwardObserver* observer) {
    throw_if_stopped(compute.stop);
    tell(observer, Activation::HiddenStates, layers_.size(), hidden);
    const auto normalised = normalised_.take(hidden.size());
    normalise(compute, hidden, output_norm_, normalised);
    tell(observer, Activation::FinalNorm, 0, normalised);
    rows_.assign(compute, normalised, output_norm_.size());
    const WeightMatrix& output = output_.is_empty() ? embedding_ : output_;
    linear(compute, output.view(), rows_, logits);
    if (config().logits_divisor != 1.0) {
        for (float& logit : logits) logit /= static_cast<float>(config().logits_divisor);
    }
    tell(observer, Activation::Logits, 0, logits);
}

}  // namespace espalier
