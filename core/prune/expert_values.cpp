#include "prune/expert_values.h"

namespace espalier {
namespace {

std::vector<float> decoded(const ModelSource& model, const TensorKey& key) {
    std::vector<float> values(num_elements(model.shape(key)).value());
    model.decode(key, values);
    return values;
}

}  // namespace

ExpertValues read_expert(const ModelSource& model, std::int64_t layer, std::int32_t expert) {
    const auto key = [&](TensorRole role) {
        return TensorKey{role, static_cast<std::int32_t>(layer), expert};
    };
    ExpertValues weights;
    weights.width = static_cast<std::size_t>(model.config().moe_intermediate_size);
    weights.hidden = static_cast<std::size_t>(model.config().hidden_size);
    weights.gate = decoded(model, key(TensorRole::ExpertGate));
    weights.up = decoded(model, key(TensorRole::ExpertUp));
    weights.down = decoded(model, key(TensorRole::ExpertDown));
    if (model.has(key(TensorRole::ExpertGateBias))) {
        weights.gate_bias = decoded(model, key(TensorRole::ExpertGateBias));
        weights.up_bias = decoded(model, key(TensorRole::ExpertUpBias));
    }
    return weights;
}

void add_in_order(TensorRole role, std::span<const float> values,
                  std::span<const std::int32_t> order, double weight, std::span<double> sums) {
    if (order.empty() || role == TensorRole::ExpertDownBias) {
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] += weight * static_cast<double>(values[i]);
        }
        return;
    }
    // Channels are the columns of down and the rows of everything else.
    const std::size_t width = order.size();
    const std::size_t other = sums.size() / width;
    const bool has_columns = role == TensorRole::ExpertDown;
    const std::size_t step = has_columns ? width : 1;
    for (std::size_t c = 0; c < width; ++c) {
        const auto source = static_cast<std::size_t>(order[c]);
        const std::size_t to = has_columns ? c : c * other;
        const std::size_t from = has_columns ? source : source * other;
        for (std::size_t i = 0; i < other; ++i) {
            sums[to + i * step] += weight * static_cast<double>(values[from + i * step]);
        }
    }
}

}  // namespace espalier
