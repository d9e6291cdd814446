#include "calib/token_outputs.h"

#include <algorithm>

#include "calib/row_sums.h"
#include "calib/substitution.h"

namespace espalier {
namespace {

/// Keeps a token whose stream is all zeros from dividing by it.
constexpr double kEpsilon = 1e-12;

/// ||sum of coefficients[i] * f_i||^2 from the products of all pairs.
double squared_norm(std::span<const double> coefficients, std::span<const double> gram) {
    const std::size_t n = coefficients.size();
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            sum += coefficients[i] * coefficients[j] * gram[i * n + j];
        }
    }
    return std::max(0.0, sum);
}

}  // namespace

TokenOutputs::TokenOutputs(const RouterConfig& config, const RoutingView& routing,
                           const StatChoice& choice)
    : config_(config),
      choice_(choice),
      experts_(static_cast<std::size_t>(routing.num_experts)),
      top_k_(static_cast<std::size_t>(routing.top_k)),
      slots_(top_k_ + (choice.has(OptionalStat::Substitution) ? 1 : 0)),
      selected_(routing.selected.begin(), routing.selected.end()),
      weights_(routing.weights.begin(), routing.weights.end()) {
    if (!choice.has(OptionalStat::Substitution)) return;
    logits_.assign(routing.logits.begin(), routing.logits.end());
    runner_ups_ = espalier::runner_ups(config, routing);
}

std::size_t TokenOutputs::slot_of(std::size_t token, std::int64_t expert) const {
    const auto chosen = row_of(std::span(selected_), token, top_k_);
    return static_cast<std::size_t>(std::find(chosen.begin(), chosen.end(), expert) -
                                    chosen.begin());
}

void TokenOutputs::add(const ExpertRows& rows) {
    if (rows.tokens.empty()) return;
    hidden_ = rows.output.size() / rows.tokens.size();
    if (outputs_.empty()) outputs_.resize(selected_.size() / top_k_ * slots_ * hidden_);
    for (std::size_t i = 0; i < rows.tokens.size(); ++i) {
        const auto token = static_cast<std::size_t>(rows.tokens[i]);
        const auto from = row_of(rows.output, i, hidden_);
        const std::size_t slot = token * slots_ + slot_of(token, rows.expert);
        std::copy(from.begin(), from.end(), row_of(std::span(outputs_), slot, hidden_).begin());
    }
}

void TokenOutputs::add_gram(std::size_t token, std::span<const double> gram,
                            LayerStats& stats) const {
    const auto chosen = row_of(std::span(selected_), token, top_k_);
    const auto weights = row_of(std::span(weights_), token, top_k_);
    if (stats.gated_gram.empty()) stats.gated_gram.resize(experts_ * experts_);
    for (std::size_t i = 0; i < top_k_; ++i) {
        for (std::size_t j = 0; j < top_k_; ++j) {
            const std::size_t pair = static_cast<std::size_t>(chosen[i]) * experts_ +
                                     static_cast<std::size_t>(chosen[j]);
            stats.gated_gram[pair] += static_cast<double>(weights[i]) *
                                      static_cast<double>(weights[j]) * gram[i * slots_ + j];
        }
    }
}

void TokenOutputs::add_substitution(std::size_t token, std::span<const double> gram,
                                    double stream_sq, LayerStats& stats) const {
    const auto chosen = row_of(std::span(selected_), token, top_k_);
    const auto weights = row_of(std::span(weights_), token, top_k_);
    std::vector<double> change(slots_);
    for (std::size_t gone = 0; gone < top_k_; ++gone) {
        gates_without(config_,
                      {.logits = row_of(std::span(logits_), token, experts_),
                       .chosen = chosen,
                       .gone = gone,
                       .runner_up = runner_ups_[token]},
                      change);
        for (std::size_t i = 0; i < slots_; ++i) {
            change[i] = (i < top_k_ ? static_cast<double>(weights[i]) : 0.0) - change[i];
        }
        const double share = squared_norm(change, gram) / (stream_sq + kEpsilon);
        const auto expert = static_cast<std::size_t>(chosen[gone]);
        stats.substitution_sum[expert] += share;
        stats.substitution_sq_sum[expert] += share * share;
    }
}

void TokenOutputs::finish(std::span<const float> residual, std::span<const TokenTag> tags,
                          LayerStats& stats) const {
    std::vector<double> gram(slots_ * slots_);
    for (std::size_t t = 0; t < tags.size(); ++t) {
        if (tags[t].task < 0) continue;
        const auto rows = row_of(std::span(outputs_), t, slots_ * hidden_);
        for (std::size_t i = 0; i < slots_; ++i) {
            for (std::size_t j = i; j < slots_; ++j) {
                gram[i * slots_ + j] = dot(row_of(rows, i, hidden_), row_of(rows, j, hidden_));
                gram[j * slots_ + i] = gram[i * slots_ + j];
            }
        }
        if (choice_.has(OptionalStat::CoactGram)) add_gram(t, gram, stats);
        if (choice_.has(OptionalStat::Substitution)) {
            const auto stream = row_of(residual, t, hidden_);
            add_substitution(t, gram, dot(stream, stream), stats);
        }
    }
}

}  // namespace espalier
