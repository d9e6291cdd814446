#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "base/cancel.h"
#include "base/error.h"
#include "eval/layer_pair_pass.h"
#include "eval/log_probs.h"
#include "eval/window_pass.h"
#include "eval/windows.h"
#include "infer/transformer.h"

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

/// Some windows through both models, layers outermost.
class ChunkComparison {
public:
    ChunkComparison(const ComparisonInput& input, std::span<const ScoredWindow> windows,
                    ComparisonSums& sums, const std::stop_token& stop)
        : input_(input), windows_(windows), sums_(sums), stop_(stop) {
        for (const ScoredWindow& window : windows) {
            tokens_.push_back(window_tokens(input.ids, window, input.options.bos_token));
            flipped_.emplace_back(tokens_.back().size(), false);
        }
    }

    /// @param on_layer told the share of the chunk's layers that are done
    void run(const std::function<void(double)>& on_layer) {
        LayerPairPass pass(input_.reference, input_.model, tokens_);
        const std::size_t num_layers =
            std::max(input_.reference.config().layers.size(), input_.model.config().layers.size());
        for (std::size_t layer = 0; layer < num_layers; ++layer) {
            run_layer(layer, pass);
            if (input_.streams_layers) pass.release_layer(layer);
            on_layer(static_cast<double>(layer + 1) / static_cast<double>(num_layers));
        }
        for (std::size_t w = 0; w < windows_.size(); ++w) run_head(w, pass);
    }

private:
    void run_layer(std::size_t layer, LayerPairPass& pass) {
        LayerComparison* sum = nullptr;
        for (LayerComparison& each : sums_.layers()) {
            if (each.alignment().layer == static_cast<std::int64_t>(layer)) sum = &each;
        }
        const auto on_rows = [&](std::size_t window, std::size_t first, const LayerRows& rows) {
            // Of the batch, what is scored.
            const auto begin = static_cast<std::size_t>(windows_[window].first_scored);
            const auto end = static_cast<std::size_t>(windows_[window].length - 1);
            const std::size_t last = first + rows.base.num_tokens();
            if (last <= begin || first >= end) return;
            sum->add(rows, std::max(begin, first) - first, std::min(end, last) - first,
                     [&](std::size_t row, bool is_same) {
                         if (!is_same) flipped_[window][first + row] = true;
                     });
        };
        pass.run_layer(layer, sum == nullptr ? nullptr : &sum->alignment(), on_rows, stop_);
    }

    void run_head(std::size_t index, LayerPairPass& pass) {
        const ScoredWindow& window = windows_[index];
        const auto vocab = static_cast<std::size_t>(input_.model.config().vocab_size);
        const auto end = static_cast<std::size_t>(window.length - 1);
        const auto block = static_cast<std::size_t>(scored_block(input_.model.config().vocab_size));
        for (auto at = static_cast<std::size_t>(window.first_scored); at < end; at += block) {
            const std::size_t count = std::min(block, end - at);
            const auto logits_of = [&](NativeModel& model, std::span<const float> hidden,
                                       std::vector<float>& logits) {
                logits.resize(count * vocab);
                model.transformer().run_head({model.pool(), model.arithmetic(), stop_}, hidden,
                                             logits, nullptr);
            };
            logits_of(input_.reference, pass.reference_rows(index, at, count), reference_logits_);
            logits_of(input_.model, pass.model_rows(index, at, count), model_logits_);
            add_rows(std::span(tokens_[index]).subspan(at + 1, count));
            for (std::size_t i = at; i < at + count; ++i) sums_.add_flip(flipped_[index][i]);
        }
    }

    /// @param next the token that follows each of the block's positions
    void add_rows(std::span<const std::int32_t> next) {
        const auto vocab = static_cast<std::size_t>(input_.model.config().vocab_size);
        const std::span<const float> reference = reference_logits_;
        const std::span<const float> model = model_logits_;
        rows_.assign(next.size(), {});
        input_.model.pool().parallel_for(rows_.size(), 8, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                rows_[i] = compare_rows(reference.subspan(i * vocab, vocab),
                                        model.subspan(i * vocab, vocab), next[i]);
            }
        });
        for (const Divergence& row : rows_) {
            sums_.add_token(row.kl, row.model_nll, row.reference_nll, row.same_best);
        }
    }

    const ComparisonInput& input_;
    std::span<const ScoredWindow> windows_;
    ComparisonSums& sums_;
    std::stop_token stop_;
    std::vector<std::vector<std::int32_t>> tokens_;
    std::vector<std::vector<bool>> flipped_;  ///< [window][token]: in any layer
    std::vector<float> reference_logits_;
    std::vector<float> model_logits_;
    std::vector<Divergence> rows_;
};

/// How many windows of the given length fit into memory together.
std::size_t windows_together(const ComparisonInput& input, std::int64_t window_length) {
    const std::int64_t width =
        input.reference.config().hidden_size + input.model.config().hidden_size;
    const auto bytes = static_cast<std::uint64_t>(width * window_length) * sizeof(float);
    return static_cast<std::size_t>(
        std::max<std::uint64_t>(1, input.memory_bytes / std::max<std::uint64_t>(bytes, 1)));
}

}  // namespace

ComparisonSums::ComparisonSums(const MoeConfig& reference,
                               const std::vector<LayerAlignment>& layers) {
    for (const LayerAlignment& layer : layers)
        routing_.emplace_back(layer, reference.router_of(layer.layer));
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

void ComparisonSums::merge(const ComparisonSums& other) {
    kl_.insert(kl_.end(), other.kl_.begin(), other.kl_.end());
    model_nll_ += other.model_nll_;
    reference_nll_ += other.reference_nll_;
    same_best_ += other.same_best_;
    flips_ += other.flips_;
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
    result.flip_any = static_cast<double>(flips_) / tokens;
    for (const LayerComparison& layer : routing_) result.routing.push_back(layer.result());
    return result;
}

ComparisonSums compare_sums(const ComparisonInput& input, const CompareProgress& progress,
                            std::stop_token stop) {
    require_known_ids(input.ids, input.model.config().vocab_size);
    const auto windows = cut_windows(static_cast<std::int64_t>(input.ids.size()), input.options);
    std::vector<LayerAlignment> layers = align_experts(
        input.reference.config(), input.model.config(), input.expert_map, input.mask);
    if (!input.compares_routing) layers.clear();
    add_merged(input.merged, input.reference_map, layers);
    ComparisonSums sums(input.reference.config(), layers);
    const std::size_t together = windows_together(input, windows.front().length);
    for (std::size_t begin = 0; begin < windows.size(); begin += together) {
        throw_if_stopped(stop);
        const std::size_t count = std::min(together, windows.size() - begin);
        const auto on_layer = [&](double share) {
            if (!progress) return;
            progress((static_cast<double>(begin) + share * static_cast<double>(count)) /
                     static_cast<double>(windows.size()));
        };
        ChunkComparison(input, std::span(windows).subspan(begin, count), sums, stop).run(on_layer);
    }
    return sums;
}

Comparison compare_models(const ComparisonInput& input, const CompareProgress& progress,
                          std::stop_token stop) {
    return compare_sums(input, progress, std::move(stop)).result();
}

}  // namespace espalier
