#include "calib/layer_accumulator.h"

#include <algorithm>
#include <cmath>

#include "calib/row_sums.h"

namespace espalier {
namespace {

using enum OptionalStat;

std::size_t histogram_bin(double weight) {
    constexpr auto kBins = static_cast<double>(kGateHistogramBins);
    return static_cast<std::size_t>(std::clamp(weight * kBins, 0.0, kBins - 1));
}

/// max(0, 1 - cos(h, h')), h' = h + multiplier * routed.
double turn_of(std::span<const float> residual, std::span<const float> routed, double multiplier,
               double residual_sq) {
    const double along = dot(residual, routed);
    const double product = residual_sq + multiplier * along;
    const double after_sq =
        residual_sq + 2 * multiplier * along + multiplier * multiplier * dot(routed, routed);
    const double lengths = std::sqrt(residual_sq) * std::sqrt(std::max(0.0, after_sq));
    return lengths > 0 ? std::max(0.0, 1.0 - product / lengths) : 0.0;
}

}  // namespace

LayerAccumulator::LayerAccumulator(const RouterConfig& router, std::size_t num_tasks,
                                   const StatChoice& choice)
    : num_experts_(static_cast<std::size_t>(router.num_experts)),
      choice_(choice),
      stats_(empty_layer_stats(router.num_experts, num_tasks, choice)) {
    if (!has_probability_gates(router)) stats_.router_mass.clear();
    if (choice_.has(Contexts)) stats_.top_contexts.resize(num_experts_);
}

void LayerAccumulator::add_selection(std::size_t expert, double weight, const TokenTag& tag) {
    const auto row = [&](std::int32_t index) {
        return static_cast<std::size_t>(index) * num_experts_ + expert;
    };
    ++stats_.count[expert];
    stats_.gate_sum[expert] += weight;
    ++stats_.task_count[row(tag.task)];
    stats_.task_gate_sum[row(tag.task)] += weight;
    if (choice_.has(GateHistogram)) {
        ++stats_.gate_histogram[expert * kGateHistogramBins + histogram_bin(weight)];
    }
    if (choice_.has(Positions)) {
        ++stats_
              .position_count[expert * kPositionBins + static_cast<std::size_t>(tag.position_bin)];
    }
    if (choice_.has(Stability)) {
        ++stats_.half_count[row(tag.half)];
        ++stats_.doubling_count[row(tag.doubling)];
        stats_.doubling_gate_sum[row(tag.doubling)] += weight;
    }
    if (choice_.has(Contexts)) add_context(expert, weight, tag);
}

void LayerAccumulator::add_router_mass(std::span<const float> logits) {
    const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    probabilities_.resize(num_experts_);
    double sum = 0;
    for (std::size_t e = 0; e < num_experts_; ++e) {
        probabilities_[e] = std::exp(static_cast<double>(logits[e]) - largest);
        sum += probabilities_[e];
    }
    for (std::size_t e = 0; e < num_experts_; ++e) stats_.router_mass[e] += probabilities_[e] / sum;
}

void LayerAccumulator::add_context(std::size_t expert, double weight, const TokenTag& tag) {
    auto& list = stats_.top_contexts[expert];
    if (list.size() == kTopContexts && list.back().gate >= weight) return;
    TopContext context;
    context.gate = weight;
    context.row = tag.row;
    context.task = tag.task;
    keep_top_contexts(list, {context});
}

void LayerAccumulator::add_routing(const RoutingView& routing, std::span<const TokenTag> tags) {
    top_k_ = static_cast<std::size_t>(routing.top_k);
    selected_.assign(routing.selected.begin(), routing.selected.end());
    gated_norms_.assign(selected_.size(), 0.0);
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].task < 0) continue;
        ++stats_.tokens;
        ++stats_.task_tokens[static_cast<std::size_t>(tags[t].task)];
        if (!stats_.router_mass.empty()) add_router_mass(row_of(routing.logits, t, num_experts_));
        const auto chosen = row_of(routing.selected, t, top_k_);
        const auto weights = row_of(routing.weights, t, top_k_);
        for (std::size_t i = 0; i < top_k_; ++i) {
            const auto expert = static_cast<std::size_t>(chosen[i]);
            add_selection(expert, static_cast<double>(weights[i]), tags[t]);
            if (!choice_.has(Coactivation)) continue;
            for (const std::int32_t other : chosen) {
                ++stats_.coactivation[expert * num_experts_ + static_cast<std::size_t>(other)];
            }
        }
    }
}

void LayerAccumulator::add_gated_norm(std::size_t expert, double gated, std::size_t token,
                                      const TokenTag& tag) {
    const auto row = [&](std::int32_t index) {
        return static_cast<std::size_t>(index) * num_experts_ + expert;
    };
    stats_.gated_norm_sum[expert] += gated;
    stats_.gated_norm_sq_sum[expert] += gated * gated;
    stats_.task_gated_norm_sum[row(tag.task)] += gated;
    if (choice_.has(Stability)) {
        stats_.half_gated_norm_sum[row(tag.half)] += gated;
        stats_.doubling_gated_norm_sum[row(tag.doubling)] += gated;
    }
    if (!choice_.has(EasyEp)) return;
    const auto chosen = row_of(std::span(selected_), token, top_k_);
    const auto slot = static_cast<std::size_t>(
        std::find(chosen.begin(), chosen.end(), static_cast<std::int32_t>(expert)) -
        chosen.begin());
    gated_norms_[token * top_k_ + slot] = gated;
}

void LayerAccumulator::add_long_vectors(const ExpertRows& rows, std::size_t row) {
    const auto e = static_cast<std::size_t>(rows.expert);
    const std::size_t hidden = rows.output.size() / rows.tokens.size();
    const std::size_t width = rows.activation.size() / rows.tokens.size();
    const auto gate = static_cast<double>(rows.weights[row]);
    const auto output = row_of(rows.output, row, hidden);
    const auto sums = [&](std::vector<double>& all, std::size_t columns) {
        return sums_of(all, num_experts_, e, columns);
    };
    if (choice_.has(OutputSum)) add_row(output, sums(stats_.output_sum, hidden));
    if (choice_.has(Profiles)) {
        add_scaled_row(gate, output, sums(stats_.gated_output_sum, hidden));
    }
    if (choice_.has(InputEnergies) && !rows.input.empty()) {
        const auto token = static_cast<std::size_t>(rows.tokens[row]);
        add_row_squares(row_of(rows.input, token, hidden),
                        sums(stats_.gate_up_input_sq_sum, hidden));
    }
    if (rows.activation.empty()) return;
    const auto activation = row_of(rows.activation, row, width);
    if (choice_.has(InputEnergies)) {
        add_row_squares(activation, sums(stats_.down_input_sq_sum, width));
    }
    if (choice_.has(Channels)) {
        add_scaled_squares(gate, activation, sums(stats_.channel_energy, width),
                           sums(stats_.channel_max_sq, width));
    }
}

void LayerAccumulator::add_expert(const ExpertRows& rows, std::span<const TokenTag> tags) {
    if (rows.tokens.empty()) return;
    const auto e = static_cast<std::size_t>(rows.expert);
    const std::size_t hidden = rows.output.size() / rows.tokens.size();
    for (std::size_t i = 0; i < rows.tokens.size(); ++i) {
        const auto token = static_cast<std::size_t>(rows.tokens[i]);
        if (tags[token].task < 0) continue;
        const RowSize size = measure_row(row_of(rows.output, i, hidden));
        const double norm = std::sqrt(size.norm_sq);
        stats_.norm_sum[e] += norm;
        stats_.norm_sq_sum[e] += size.norm_sq;
        stats_.max_abs[e] = std::max(stats_.max_abs[e], size.max_abs);
        add_gated_norm(e, static_cast<double>(rows.weights[i]) * norm, token, tags[token]);
        add_long_vectors(rows, i);
    }
}

void LayerAccumulator::add_streams(const StreamRows& streams, std::span<const TokenTag> tags) {
    if (!choice_.has(EasyEp) || tags.empty()) return;
    const std::size_t hidden = streams.residual.size() / tags.size();
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].task < 0) continue;
        const auto residual = row_of(streams.residual, t, hidden);
        const double residual_sq = dot(residual, residual);
        stats_.hidden_sq_sum.front() += residual_sq;
        const double turn =
            turn_of(residual, row_of(streams.routed, t, hidden), streams.multiplier, residual_sq);
        for (std::size_t i = t * top_k_; i < (t + 1) * top_k_; ++i) {
            const auto expert = static_cast<std::size_t>(selected_[i]);
            const auto task = static_cast<std::size_t>(tags[t].task);
            stats_.easy_ep_sum[expert] += gated_norms_[i] * turn;
            stats_.task_easy_ep_sum[task * num_experts_ + expert] += gated_norms_[i] * turn;
        }
    }
}

void LayerAccumulator::add_inputs(std::span<const float> rows, std::span<const TokenTag> tags,
                                  std::size_t num_samples) {
    if (!choice_.has(Profiles) || tags.empty()) return;
    const std::size_t hidden = rows.size() / tags.size();
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].sample < 0) continue;
        add_row(row_of(rows, t, hidden), sums_of(stats_.input_sample, num_samples,
                                                 static_cast<std::size_t>(tags[t].sample), hidden));
    }
}

void LayerAccumulator::add_profiles(const RoutingView& routing, std::span<const TokenTag> tags,
                                    std::size_t num_samples) {
    if (!choice_.has(Profiles)) return;
    stats_.router_profile.resize(num_experts_ * num_samples);
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].sample < 0) continue;
        const auto logits = row_of(routing.logits, t, num_experts_);
        for (std::size_t e = 0; e < num_experts_; ++e) {
            stats_.router_profile[e * num_samples + static_cast<std::size_t>(tags[t].sample)] =
                static_cast<double>(logits[e]);
        }
    }
}

void add_squares(std::span<const float> values, std::span<double> sums) {
    for (std::size_t row = 0; row * sums.size() < values.size(); ++row) {
        add_row_squares(row_of(values, row, sums.size()), sums);
    }
}

}  // namespace espalier
