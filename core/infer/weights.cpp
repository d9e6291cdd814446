#include "infer/weights.h"

#include <fmt/format.h>

#include "base/error.h"
#include "kernels/decode.h"

namespace espalier {

WeightMatrix::WeightMatrix(const ModelSource& source, const TensorKey& key) {
    const Shape shape = source.shape(key);
    const auto rows = static_cast<std::size_t>(shape.at(0));
    const auto columns = static_cast<std::size_t>(shape.at(1));
    const auto stored = source.stored(key);
    if (!stored) {
        decoded_ = Buffer<float>(rows * columns);
        source.decode(key, decoded_.span());
        view_ = kernels::float_matrix(decoded_.span(), rows, columns, columns);
        return;
    }
    const TensorView& tensor = stored->view;
    if (!kernels::can_decode(tensor.dtype)) {
        throw Error(
            ErrorCode::FileUnsupported,
            fmt::format("{} holds a weight matrix of type {}, which cannot be computed with.",
                        source.name(), info(tensor.dtype).name),
            "Convert the model to one of the usual types, for example Q8_0.");
    }
    view_ = {.dtype = tensor.dtype,
             .bytes = tensor.bytes,
             .rows = rows,
             .columns = columns,
             .row_stride = rows == 0 ? 0 : tensor.bytes.size() / rows};
    rows_ = stored->rows;
}

std::vector<float> load_vector(const ModelSource& source, const TensorKey& key) {
    std::vector<float> values(num_elements(source.shape(key)).value_or(0));
    source.decode(key, values);
    return values;
}

namespace {

AttentionWeights load_attention(const ModelSource& source, std::int32_t layer) {
    const auto matrix = [&](TensorRole role) { return WeightMatrix(source, {role, layer}); };
    const auto vector = [&](TensorRole role, bool present) {
        return present ? load_vector(source, {role, layer}) : std::vector<float>();
    };
    const AttentionConfig& config = source.config().attention;
    return {.q = matrix(TensorRole::AttentionQ),
            .k = matrix(TensorRole::AttentionK),
            .v = matrix(TensorRole::AttentionV),
            .output = matrix(TensorRole::AttentionOutput),
            .q_bias = vector(TensorRole::AttentionQBias, config.has_qkv_bias),
            .k_bias = vector(TensorRole::AttentionKBias, config.has_qkv_bias),
            .v_bias = vector(TensorRole::AttentionVBias, config.has_qkv_bias),
            .output_bias = vector(TensorRole::AttentionOutputBias, config.has_output_bias),
            .q_norm = vector(TensorRole::AttentionQNorm, config.qk_norm != QkNorm::None),
            .k_norm = vector(TensorRole::AttentionKNorm, config.qk_norm != QkNorm::None)};
}

std::vector<GatedMlpWeights> load_experts(const ModelSource& source, std::int32_t layer) {
    std::vector<GatedMlpWeights> experts;
    for (std::int32_t e = 0; e < source.config().router.num_experts; ++e) {
        experts.push_back({.gate = WeightMatrix(source, {TensorRole::ExpertGate, layer, e}),
                           .up = WeightMatrix(source, {TensorRole::ExpertUp, layer, e}),
                           .down = WeightMatrix(source, {TensorRole::ExpertDown, layer, e})});
    }
    return experts;
}

}  // namespace

LayerWeights load_layer_weights(const ModelSource& source, std::int32_t layer) {
    LayerWeights weights;
    weights.attention_norm = load_vector(source, {TensorRole::AttentionNorm, layer});
    weights.attention = load_attention(source, layer);
    weights.feed_forward_norm = load_vector(source, {TensorRole::FeedForwardNorm, layer});
    const LayerConfig& config = source.config().layers.at(static_cast<std::size_t>(layer));
    if (config.feed_forward == FeedForwardKind::Moe) {
        weights.router = WeightMatrix(source, {TensorRole::Router, layer});
        weights.experts = load_experts(source, layer);
    } else {
        weights.experts.push_back({.gate = WeightMatrix(source, {TensorRole::DenseGate, layer}),
                                   .up = WeightMatrix(source, {TensorRole::DenseUp, layer}),
                                   .down = WeightMatrix(source, {TensorRole::DenseDown, layer})});
    }
    return weights;
}

}  // namespace espalier
