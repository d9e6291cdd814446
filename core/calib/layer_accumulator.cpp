#include "calib/layer_accumulator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace espalier {
namespace {

/// Row `row` of a matrix with `columns` columns.
template <typename T>
std::span<T> row_of(std::span<T> matrix, std::size_t row, std::size_t columns) {
    return matrix.subspan(row * columns, columns);
}

constexpr std::size_t kLanes = 8;

/// Calls apply(column, lane) for every column, in blocks of a fixed size that the compiler turns
/// into vectors.
template <typename Apply>
void for_each_column(std::size_t columns, const Apply& apply) {
    std::size_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) apply(c + lane, lane);
    }
    for (; c < columns; ++c) apply(c, c % kLanes);
}

void add_row(std::span<const float> row, std::span<double> sums) {
    for_each_column(row.size(), [from = row.data(), to = sums.data()](std::size_t c, std::size_t) {
        to[c] += static_cast<double>(from[c]);
    });
}

void add_row_squares(std::span<const float> row, std::span<double> sums) {
    for_each_column(row.size(), [from = row.data(), to = sums.data()](std::size_t c, std::size_t) {
        const auto value = static_cast<double>(from[c]);
        to[c] += value * value;
    });
}

struct RowSize {
    double norm_sq = 0;
    double max_abs = 0;
};

RowSize measure(std::span<const float> row) {
    std::array<double, kLanes> squares{};
    std::array<float, kLanes> largest{};
    for_each_column(row.size(), [&, from = row.data()](std::size_t c, std::size_t lane) {
        const auto value = static_cast<double>(from[c]);
        squares[lane] += value * value;
        largest[lane] = std::max(largest[lane], std::abs(from[c]));
    });
    return {.norm_sq = std::accumulate(squares.begin(), squares.end(), 0.0),
            .max_abs = static_cast<double>(*std::max_element(largest.begin(), largest.end()))};
}

/// Row `expert` of a [experts, columns] sum that gets its size from the first batch.
std::span<double> sums_of(std::vector<double>& all, std::size_t experts, std::size_t expert,
                          std::size_t columns) {
    if (all.empty()) all.resize(experts * columns);
    return row_of(std::span(all), expert, columns);
}

std::size_t histogram_bin(double weight) {
    constexpr auto kBins = static_cast<double>(kGateHistogramBins);
    return static_cast<std::size_t>(std::clamp(weight * kBins, 0.0, kBins - 1));
}

}  // namespace

LayerAccumulator::LayerAccumulator(std::int64_t num_experts, std::size_t num_tasks)
    : num_experts_(static_cast<std::size_t>(num_experts)),
      stats_(empty_layer_stats(num_experts, num_tasks)) {}

void LayerAccumulator::add_selection(std::size_t expert, double weight, const TokenTag& tag) {
    const auto task = static_cast<std::size_t>(tag.task) * num_experts_ + expert;
    ++stats_.count[expert];
    stats_.gate_sum[expert] += weight;
    ++stats_.gate_histogram[expert * kGateHistogramBins + histogram_bin(weight)];
    ++stats_.half_count[static_cast<std::size_t>(tag.half) * num_experts_ + expert];
    ++stats_.task_count[task];
    stats_.task_gate_sum[task] += weight;
}

void LayerAccumulator::add_routing(const RoutingView& routing, std::span<const TokenTag> tags) {
    const auto k = static_cast<std::size_t>(routing.top_k);
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].task < 0) continue;
        ++stats_.tokens;
        ++stats_.task_tokens[static_cast<std::size_t>(tags[t].task)];
        const auto chosen = row_of(routing.selected, t, k);
        const auto weights = row_of(routing.weights, t, k);
        for (std::size_t i = 0; i < k; ++i) {
            const auto expert = static_cast<std::size_t>(chosen[i]);
            add_selection(expert, static_cast<double>(weights[i]), tags[t]);
            for (const std::int32_t other : chosen) {
                ++stats_.coactivation[expert * num_experts_ + static_cast<std::size_t>(other)];
            }
        }
    }
}

void LayerAccumulator::add_expert(const ExpertRows& rows, std::span<const TokenTag> tags) {
    if (rows.tokens.empty()) return;
    const auto e = static_cast<std::size_t>(rows.expert);
    const std::size_t hidden = rows.output.size() / rows.tokens.size();
    const std::size_t width = rows.activation.size() / rows.tokens.size();
    for (std::size_t i = 0; i < rows.tokens.size(); ++i) {
        const TokenTag& tag = tags[static_cast<std::size_t>(rows.tokens[i])];
        if (tag.task < 0) continue;
        const auto output = row_of(rows.output, i, hidden);
        const RowSize size = measure(output);
        const double norm = std::sqrt(size.norm_sq);
        const double gated = static_cast<double>(rows.weights[i]) * norm;
        stats_.norm_sum[e] += norm;
        stats_.norm_sq_sum[e] += size.norm_sq;
        stats_.gated_norm_sum[e] += gated;
        stats_.gated_norm_sq_sum[e] += gated * gated;
        stats_.max_abs[e] = std::max(stats_.max_abs[e], size.max_abs);
        stats_.half_gated_norm_sum[static_cast<std::size_t>(tag.half) * num_experts_ + e] += gated;
        stats_.task_gated_norm_sum[static_cast<std::size_t>(tag.task) * num_experts_ + e] += gated;
        add_row(output, sums_of(stats_.output_sum, num_experts_, e, hidden));
        if (!rows.input.empty()) {
            add_row_squares(row_of(rows.input, i, hidden),
                            sums_of(stats_.gate_up_input_sq_sum, num_experts_, e, hidden));
        }
        if (!rows.activation.empty()) {
            add_row_squares(row_of(rows.activation, i, width),
                            sums_of(stats_.down_input_sq_sum, num_experts_, e, width));
        }
    }
}

void add_squares(std::span<const float> values, std::span<double> sums) {
    for (std::size_t row = 0; row * sums.size() < values.size(); ++row) {
        add_row_squares(row_of(values, row, sums.size()), sums);
    }
}

}  // namespace espalier
