#include "quant/importance.h"

#include <algorithm>

#include "routing/matrix_name.h"

namespace espalier {
namespace {

/// The layer's mean counts as that many tokens of every expert. spec "quantisation" 3.
constexpr double kPriorTokens = 64.0;

/// Sum over all experts' tokens of x^2, divided by their number; empty if there were none.
std::vector<double> mean_over_experts(const std::vector<double>& sq_sum,
                                      const std::vector<std::int64_t>& count) {
    double tokens = 0;
    for (const std::int64_t n : count) tokens += static_cast<double>(n);
    if (tokens <= 0 || sq_sum.empty() || sq_sum.size() % count.size() != 0) return {};
    const std::size_t columns = sq_sum.size() / count.size();
    std::vector<double> mean(columns, 0.0);
    for (std::size_t e = 0; e < count.size(); ++e) {
        for (std::size_t i = 0; i < columns; ++i) mean[i] += sq_sum[e * columns + i];
    }
    for (double& value : mean) value /= tokens;
    return mean;
}

}  // namespace

std::span<const float> ColumnImportance::of_expert(const TensorKey& key) {
    const auto layer = stats_.layers.find(key.layer);
    if (layer == stats_.layers.end() || key.expert < 0) return {};
    const LayerStats& sums = layer->second;
    const auto expert = static_cast<std::size_t>(key.expert);
    if (expert >= sums.count.size()) return {};
    const bool is_down = key.role == TensorRole::ExpertDown;
    const auto& sq_sum = is_down ? sums.down_input_sq_sum : sums.gate_up_input_sq_sum;
    if (mean_of_ != &sq_sum) {
        layer_mean_ = mean_over_experts(sq_sum, sums.count);
        mean_of_ = &sq_sum;
    }
    const double tokens = static_cast<double>(sums.count[expert]) + kPriorTokens;
    importance_.resize(layer_mean_.size());
    for (std::size_t i = 0; i < importance_.size(); ++i) {
        const double own = sq_sum[expert * importance_.size() + i];
        importance_[i] = static_cast<float>((own + kPriorTokens * layer_mean_[i]) / tokens);
    }
    return importance_;
}

std::span<const float> ColumnImportance::of(const TensorKey& key) {
    if (is_expert_role(key.role)) return of_expert(key);
    const auto name = matrix_name(key);
    const auto found = name ? stats_.input_energies.find(*name) : stats_.input_energies.end();
    if (found == stats_.input_energies.end() || found->second.tokens <= 0) return {};
    const auto tokens = static_cast<double>(found->second.tokens);
    importance_.resize(found->second.sq_sum.size());
    std::transform(found->second.sq_sum.begin(), found->second.sq_sum.end(), importance_.begin(),
                   [tokens](double sum) { return static_cast<float>(sum / tokens); });
    return importance_;
}

std::vector<float> column_importance(const ExpertStats& stats, const TensorKey& key) {
    ColumnImportance importance(stats);
    const auto found = importance.of(key);
    return {found.begin(), found.end()};
}

}  // namespace espalier
