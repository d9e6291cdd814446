#include "prune/align_neurons.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "kernels/gate_ops.h"
#include "kernels/matmul_float.h"
#include "prune/assignment.h"

namespace espalier {
namespace {

constexpr std::size_t kDirections = 64;
constexpr std::uint64_t kSeed = 64;
constexpr std::size_t kChunkRows = 32;

/// [rows, columns] -> [columns, rows]
std::vector<float> transposed(std::span<const float> values, std::size_t rows,
                              std::size_t columns) {
    std::vector<float> result(values.size());
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            result[c * rows + r] = values[r * columns + c];
        }
    }
    return result;
}

/// out[x row, matrix row] = dot of the two; both have `columns`.
std::vector<float> products(std::span<const float> x, std::span<const float> matrix,
                            std::size_t columns, ThreadPool& pool) {
    const std::size_t vectors = x.size() / columns;
    const std::size_t rows = matrix.size() / columns;
    std::vector<float> out(vectors * rows);
    const kernels::MatrixView view = kernels::float_matrix(matrix, rows, columns, columns);
    pool.parallel_for(rows, kChunkRows, [&](std::size_t begin, std::size_t end) {
        kernels::matmul_float(view, {begin, end},
                              {.values = x, .count = vectors, .stride = columns, .picked = {}},
                              {.values = out, .stride = rows});
    });
    return out;
}

void add_bias(std::span<float> rows, std::span<const float> bias) {
    for (std::size_t i = 0; !bias.empty() && i < rows.size(); ++i) rows[i] += bias[i % bias.size()];
}

std::vector<double> squares(std::span<const float> rows, std::size_t width) {
    const std::size_t columns = rows.size() / width;
    std::vector<double> result(width, 0.0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        result[i / columns] += static_cast<double>(rows[i]) * static_cast<double>(rows[i]);
    }
    return result;
}

/// Adds the scaled distances of all pairs of rows, ||a - b||^2 = a^2 + b^2 - 2 a b.
void add_distances(std::span<const float> reference, std::span<const float> other,
                   std::size_t width, std::span<float> cost, ThreadPool& pool) {
    if (reference.empty()) return;
    const auto ours = squares(reference, width);
    const auto theirs = squares(other, width);
    double sum = 0;
    for (std::size_t c = 0; c < width; ++c) sum += ours[c] + theirs[c];
    if (!(sum > 0)) return;
    const double scale = 1 / std::sqrt(sum / static_cast<double>(2 * width));
    const auto dots = products(reference, other, reference.size() / width, pool);
    for (std::size_t i = 0; i < width; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            const double square =
                ours[i] + theirs[j] - 2 * static_cast<double>(dots[i * width + j]);
            cost[i * width + j] += static_cast<float>(scale * std::sqrt(std::max(0.0, square)));
        }
    }
}

}  // namespace

WeightProjection::WeightProjection(std::size_t hidden)
    : hidden_(hidden), directions_(3 * kDirections * hidden) {
    Rng rng = Rng(kSeed).stream("prune.projection");
    const double scale = 1 / std::sqrt(static_cast<double>(kDirections));
    for (float& value : directions_) value = static_cast<float>(scale * rng.normal());
}

std::vector<float> WeightProjection::of(const ExpertValues& weights, ThreadPool& pool) const {
    const auto down = transposed(weights.down, weights.hidden, weights.width);
    const std::size_t part = kDirections * hidden_;
    std::vector<float> sum(weights.width * kDirections, 0.0F);
    std::size_t at = 0;
    for (const auto* matrix : {&weights.gate, &weights.up, &down}) {
        const auto projected =
            products(*matrix, std::span(directions_).subspan(at, part), hidden_, pool);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += projected[i];
        at += part;
    }
    return sum;
}

NeuronFeatures neuron_features(const ExpertValues& weights, const ExpertConfig& config,
                               std::span<const float> inputs, const WeightProjection& projection,
                               ThreadPool& pool) {
    NeuronFeatures features{
        .width = weights.width, .activations = {}, .weights = projection.of(weights, pool)};
    if (inputs.empty()) return features;
    std::vector<float> gate = products(inputs, weights.gate, weights.hidden, pool);
    std::vector<float> up = products(inputs, weights.up, weights.hidden, pool);
    add_bias(gate, weights.gate_bias);
    add_bias(up, weights.up_bias);
    if (config.activation == ExpertActivation::Silu) {
        kernels::silu_mul(gate, up, gate);
    } else {
        kernels::clamped_silu_mul(
            gate, up, {static_cast<float>(config.alpha), static_cast<float>(config.limit)}, gate);
    }
    features.activations = transposed(gate, inputs.size() / weights.hidden, weights.width);
    return features;
}

std::vector<std::int32_t> align_neurons(const NeuronFeatures& reference,
                                        const NeuronFeatures& other, ThreadPool& pool,
                                        const std::stop_token& stop) {
    const std::size_t width = reference.width;
    std::vector<float> cost(width * width, 0.0F);
    add_distances(reference.activations, other.activations, width, cost, pool);
    add_distances(reference.weights, other.weights, width, cost, pool);
    return assign_least_cost(cost, width, stop);
}

}  // namespace espalier
