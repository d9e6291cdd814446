#include "prune/merge_experts.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/log.h"
#include "kernels/decode.h"
#include "prune/merge_methods.h"
#include "routing/score_functions.h"

namespace espalier {
namespace {

bool has_groups(const LayerPlan& plan) {
    return std::any_of(plan.groups.begin(), plan.groups.end(),
                       [](const auto& group) { return group.size() > 1; });
}

/// Where the rows of a tensor lie in a stored piece that may hold two of them.
struct RowPlaces {
    std::size_t first = 0;
    std::size_t step = 1;
    bool are_columns = false;  ///< the piece is transposed
};

/// @param is_second up's rows of a piece that holds gate and up
RowPlaces row_places(const ModelSource& model, const TensorKey& key, std::size_t rows,
                     bool holds_two, bool is_second) {
    const auto stored = model.stored(key);
    RowPlaces places{.first = 0, .step = 1, .are_columns = !stored.has_value()};
    if (!holds_two) return places;
    const bool in_turns = places.are_columns || stored->rows == RowOrder::EvenRows ||
                          stored->rows == RowOrder::OddRows;
    if (in_turns) places.step = 2;
    if (is_second) places.first = in_turns ? 1 : rows;
    return places;
}

/// @param row_stride of the piece: its columns, or its rows if they are columns
void place_rows(std::span<const float> values, std::size_t rows, const RowPlaces& places,
                std::size_t row_stride, std::span<float> piece) {
    const std::size_t columns = values.size() / rows;
    for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t place = places.first + r * places.step;
        for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t at =
                places.are_columns ? c * row_stride + place : place * row_stride + c;
            piece[at] = values[r * columns + c];
        }
    }
}

/// Up's role where gate's is given.
TensorRole second_role(TensorRole role) {
    return role == TensorRole::ExpertGateBias ? TensorRole::ExpertUpBias : TensorRole::ExpertUp;
}

}  // namespace

void require_mergeable(const MergeInput& input) {
    static_cast<void>(find_merge_method(input.plan.merge));
    for (const auto& [layer, plan] : input.plan.layers) {
        if (!has_groups(plan)) continue;
        const auto stats = input.stats.layers.find(layer);
        if (stats == input.stats.layers.end() ||
            input.stats.num_experts != input.model.config().router.num_experts) {
            throw Error(ErrorCode::RunRecipe,
                        fmt::format("The statistics do not know the experts of layer {}.", layer),
                        "Calibrate this model.");
        }
        const auto hidden = static_cast<std::size_t>(input.model.config().hidden_size);
        const auto& sample = stats->second.input_sample;
        require_gathered(sample, std::max(hidden, sample.size() / hidden * hidden),
                         OptionalStat::Profiles);
    }
    for (const NamedTensor& tensor : input.model.stored_tensors()) {
        const auto key = input.model.role_of(tensor.name);
        if (!key || !is_expert_role(key->role)) continue;
        const auto plan = input.plan.layers.find(key->layer);
        if (plan == input.plan.layers.end() || !has_groups(plan->second)) continue;
        const DType dtype = tensor.view.dtype;
        if (dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16) continue;
        throw Error(ErrorCode::FileUnsupported,
                    fmt::format("{} is stored as {}: the mean of experts would have to be "
                                "quantised anew.",
                                tensor.name, info(dtype).name),
                    "Merge the model in bfloat16 (`export --to hf` makes one of it), then "
                    "quantise the result.");
    }
}

ExpertMerger::ExpertMerger(const MergeInput& input, std::stop_token stop)
    : input_(input),
      stop_(std::move(stop)),
      pool_(input.num_threads),
      projection_(static_cast<std::size_t>(input.model.config().hidden_size)) {
    require_mergeable(input);
    const MergeMethod& method = find_merge_method(input.plan.merge);
    for (const auto& [layer, plan] : input.plan.layers) {
        if (!has_groups(plan)) continue;
        const std::vector<double> weights = method.weights(input.stats.layers.at(layer));
        for (const auto& experts : plan.groups) {
            Group group{.experts = experts, .weights = {}, .orders = {}};
            for (const std::int32_t expert : experts) {
                group.weights.push_back(weights[static_cast<std::size_t>(expert)]);
            }
            const double sum = std::accumulate(group.weights.begin(), group.weights.end(), 0.0);
            for (double& weight : group.weights) {
                weight = sum > 0 ? weight / sum : 1 / static_cast<double>(experts.size());
            }
            groups_.emplace(std::pair{layer, experts.front()}, std::move(group));
        }
    }
}

void ExpertMerger::align(std::int64_t layer, Group& group) {
    group.is_aligned = true;
    group.orders.resize(group.experts.size());
    if (!input_.aligns_neurons) return;
    if (inputs_layer_ != layer) {
        const auto& sample = input_.stats.layers.at(layer).input_sample;
        inputs_.resize(sample.size());
        std::transform(sample.begin(), sample.end(), inputs_.begin(),
                       [](double value) { return static_cast<float>(value); });
        inputs_layer_ = layer;
    }
    const auto features = [&](std::int32_t expert) {
        throw_if_stopped(stop_);
        return neuron_features(read_expert(input_.model, layer, expert),
                               input_.model.config().experts, inputs_, projection_, pool_);
    };
    const NeuronFeatures survivor = features(group.experts.front());
    for (std::size_t i = 1; i < group.experts.size(); ++i) {
        if (group.weights[i] == 0) continue;
        group.orders[i] = align_neurons(survivor, features(group.experts[i]), pool_, stop_);
    }
    log("prune").debug("layer {}: the neurons of {} experts follow expert {}", layer,
                       group.experts.size() - 1, group.experts.front());
}

std::vector<float> ExpertMerger::mean_of(const TensorKey& key, const Group& group) const {
    const std::size_t size = num_elements(input_.model.shape(key)).value();
    std::vector<float> values(size);
    std::vector<double> sums(size, 0.0);
    for (std::size_t i = 0; i < group.experts.size(); ++i) {
        if (group.weights[i] == 0) continue;
        input_.model.decode({key.role, key.layer, group.experts[i]}, values);
        add_in_order(key.role, values, group.orders[i], group.weights[i], sums);
    }
    std::transform(sums.begin(), sums.end(), values.begin(),
                   [](double sum) { return static_cast<float>(sum); });
    return values;
}

ExpertMerger::Group& ExpertMerger::aligned(const TensorKey& survivor) {
    Group& group = groups_.at({survivor.layer, survivor.expert});
    if (!group.is_aligned) align(survivor.layer, group);
    return group;
}

std::vector<float> ExpertMerger::mean(const TensorKey& key) { return mean_of(key, aligned(key)); }

std::vector<std::byte> ExpertMerger::merged(const MergedPiece& piece) {
    const Group& group = aligned(piece.key);
    std::vector<float> values(piece.bytes / info(piece.dtype).block_bytes);
    TensorKey key = piece.key;
    const Shape shape = input_.model.shape(key);
    const std::size_t size = num_elements(shape).value();
    const auto rows = static_cast<std::size_t>(shape.front());
    const bool holds_two = values.size() == 2 * size;
    for (const bool is_second : {false, true}) {
        if (is_second && !holds_two) break;
        if (is_second) key.role = second_role(key.role);
        const RowPlaces places = row_places(input_.model, key, rows, holds_two, is_second);
        place_rows(mean_of(key, group), rows, places,
                   places.are_columns ? (holds_two ? 2 : 1) * rows : size / rows, values);
    }
    std::vector<std::byte> bytes(piece.bytes);
    kernels::encode_float(piece.dtype, values, bytes);
    return bytes;
}

}  // namespace espalier
