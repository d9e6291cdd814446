#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "base/cancel.h"
#include "base/error.h"
#include "eval/log_probs.h"
#include "eval/window_pass.h"
#include "eval/windows.h"

namespace espalier {
namespace {

/// Interpolated between the two nearest ranks; `sorted` is not empty.
double percentile(const std::vector<float>& sorted, double share) {
    const double rank = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const auto low = static_cast<double>(sorted[below]);
    return low + (rank - std::floor(rank)) * (static_cast<double>(sorted[above]) - low);
}

/// One window through both models, block by block.
class WindowComparison {
public:
    explicit WindowComparison(const ComparisonInput& input)
        : input_(input),
          layers_(align_experts(input.reference.config(), input.model.config(), input.expert_map,
                                input.mask)),
          reference_(input.reference),
          model_(input.model) {
        add_merged(input.merged, input.reference_map, layers_);
    }

    const std::vector<LayerAlignment>& layers() const { return layers_; }

    void run(const ScoredWindow& window, ComparisonSums& sums, const std::stop_token& stop) {
        const auto tokens = window_tokens(input_.ids, window, input_.options.bos_token);
        reference_.start(tokens, window.first_scored, stop);
        model_.start(tokens, window.first_scored, stop);
        const std::int64_t block = scored_block(input_.model.config().vocab_size);
        for (std::int64_t at = window.first_scored; at < window.length - 1; at += block) {
            const std::int64_t count = std::min(block, window.length - 1 - at);
            const auto next = std::span(tokens).subspan(static_cast<std::size_t>(at) + 1,
                                                        static_cast<std::size_t>(count));
            run_block(next, sums, stop);
        }
    }

private:
    /// @param next the token that follows each of the block's positions
    void run_block(std::span<const std::int32_t> next, ComparisonSums& sums,
                   const std::stop_token& stop) {
        reference_routing_.clear();
        model_routing_.clear();
        const auto count = static_cast<std::int64_t>(next.size());
        const auto reference = reference_.next(count, &reference_routing_, stop);
        const auto model = model_.next(count, &model_routing_, stop);
        const auto vocab = static_cast<std::size_t>(input_.model.config().vocab_size);
        rows_.assign(next.size(), {});
        input_.model.pool().parallel_for(rows_.size(), 8, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                rows_[i] = compare_rows(reference.subspan(i * vocab, vocab),
                                        model.subspan(i * vocab, vocab), next[i]);
            }
        });
        for (const Divergence& row : rows_) {
            sums.add_token(row.kl, row.model_nll, row.reference_nll, row.same_best);
        }
        sums.add_routing(layers_, reference_routing_, model_routing_, next.size());
    }

    const ComparisonInput& input_;
    std::vector<LayerAlignment> layers_;
    WindowPass reference_;
    WindowPass model_;
    RoutingRecorder reference_routing_;
    RoutingRecorder model_routing_;
    std::vector<Divergence> rows_;
};

}  // namespace

ComparisonSums::ComparisonSums(const MoeConfig& reference,
                               const std::vector<LayerAlignment>& layers) {
    for (const LayerAlignment& layer : layers) {
        routing_.emplace_back(FidelityScope{.layer = layer.layer,
                                            .router = reference.router,
                                            .kept = layer.reference_ids,
                                            .merged = layer.merged});
    }
}

void ComparisonSums::add_token(double kl, double model_nll, double reference_nll, bool same_best) {
    if (!std::isfinite(kl + model_nll + reference_nll)) {
        throw Error(ErrorCode::NumberInvalid,
                    fmt::format("The models' predictions at scored token {} are not numbers.",
                                kl_.size() + 1),
                    "Check both models: weights may be damaged or quantised too far.");
    }
    kl_.push_back(static_cast<float>(kl));
    model_nll_ += model_nll;
    reference_nll_ += reference_nll;
    same_best_ += same_best ? 1 : 0;
}

void ComparisonSums::add_routing(const std::vector<LayerAlignment>& layers,
                                 const RoutingRecorder& reference, const RoutingRecorder& model,
                                 std::size_t num_tokens) {
    std::vector<float> logits;
    std::vector<std::int32_t> selected;
    for (std::size_t l = 0; l < layers.size(); ++l) {
        const auto& base = reference.layer(layers[l].layer);
        const auto& current = model.layer(layers[l].layer);
        logits.resize(layers[l].model_ids.size());
        selected.resize(current.top_k);
        for (std::size_t t = 0; t < num_tokens; ++t) {
            const auto row = current.logits_of(t);
            for (std::size_t i = 0; i < logits.size(); ++i) {
                logits[i] = row[static_cast<std::size_t>(layers[l].model_ids[i])];
            }
            const auto chosen = current.selected_of(t);
            std::transform(chosen.begin(), chosen.end(), selected.begin(), [&](std::int32_t id) {
                return layers[l].position_of_model[static_cast<std::size_t>(id)];
            });
            routing_[l].add({base.logits_of(t), base.selected_of(t), base.weights_of(t), logits,
                             selected, current.weights_of(t), base.scores_of(t)});
        }
    }
}

void ComparisonSums::merge(const ComparisonSums& other) {
    kl_.insert(kl_.end(), other.kl_.begin(), other.kl_.end());
    model_nll_ += other.model_nll_;
    reference_nll_ += other.reference_nll_;
    same_best_ += other.same_best_;
    for (std::size_t l = 0; l < routing_.size(); ++l) routing_[l].merge(other.routing_[l]);
}

Comparison ComparisonSums::result() const {
    Comparison result;
    result.tokens = static_cast<std::int64_t>(kl_.size());
    if (kl_.empty()) return result;
    const auto tokens = static_cast<double>(kl_.size());
    result.kl_mean = std::accumulate(kl_.begin(), kl_.end(), 0.0) / tokens;
    std::vector<float> sorted = kl_;
    std::sort(sorted.begin(), sorted.end());
    result.kl_median = percentile(sorted, 0.5);
    result.kl_p999 = percentile(sorted, 0.999);
    result.kl_max = static_cast<double>(sorted.back());
    result.top1 = static_cast<double>(same_best_) / tokens;
    result.model_perplexity = std::exp(model_nll_ / tokens);
    result.reference_perplexity = std::exp(reference_nll_ / tokens);
    for (const FidelityAccumulator& layer : routing_) result.routing.push_back(layer.result());
    return result;
}

ComparisonSums compare_sums(const ComparisonInput& input, const CompareProgress& progress,
                            std::stop_token stop) {
    require_known_ids(input.ids, input.model.config().vocab_size);
    const auto windows = cut_windows(static_cast<std::int64_t>(input.ids.size()), input.options);
    WindowComparison comparison(input);
    ComparisonSums sums(input.reference.config(), comparison.layers());
    for (std::size_t i = 0; i < windows.size(); ++i) {
        throw_if_stopped(stop);
        comparison.run(windows[i], sums, stop);
        if (progress)
            progress(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(windows.size()));
    }
    return sums;
}

Comparison compare_models(const ComparisonInput& input, const CompareProgress& progress,
                          std::stop_token stop) {
    return compare_sums(input, progress, std::move(stop)).result();
}

}  // namespace espalier
