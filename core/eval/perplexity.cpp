#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "eval/log_probs.h"
#include "eval/window_pass.h"
#include "eval/windows.h"

namespace espalier {
namespace {

/// Negative log likelihoods of one window's scored tokens, summed in their order.
double score_window(NativeModel& model, WindowPass& pass, std::span<const std::int32_t> tokens,
                    const ScoredWindow& window, const std::stop_token& stop) {
    const auto vocab = static_cast<std::size_t>(model.config().vocab_size);
    const std::int64_t block = scored_block(model.config().vocab_size);
    pass.start(tokens, window.first_scored, stop);
    double sum = 0.0;
    std::vector<double> nll;
    for (std::int64_t at = window.first_scored; at < window.length - 1; at += block) {
        const std::int64_t count = std::min(block, window.length - 1 - at);
        const auto logits = pass.next(count, nullptr, stop);
        nll.assign(static_cast<std::size_t>(count), 0.0);
        model.pool().parallel_for(nll.size(), 8, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                const auto row = logits.subspan(i * vocab, vocab);
                const auto next =
                    static_cast<std::size_t>(tokens[static_cast<std::size_t>(at) + i + 1]);
                nll[i] = log_sum_exp(row) - static_cast<double>(row[next]);
            }
        });
        for (const double value : nll) sum += value;
    }
    return sum;
}

}  // namespace

PerplexityResult perplexity(NativeModel& model, std::span<const std::int32_t> ids,
                            const PerplexityOptions& options,
                            const std::function<void(std::int64_t, std::int64_t)>& progress,
                            std::stop_token stop) {
    require_known_ids(ids, model.config().vocab_size);
    const auto windows = cut_windows(static_cast<std::int64_t>(ids.size()), options);
    WindowPass pass(model);
    PerplexityResult result;
    double sum = 0.0;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        throw_if_stopped(stop);
        const auto tokens = window_tokens(ids, windows[i], options.bos_token);
        sum += score_window(model, pass, tokens, windows[i], stop);
        if (!std::isfinite(sum)) {
            throw Error(
                ErrorCode::NumberInvalid,
                fmt::format("The model's predictions are not numbers in window {} of the text.",
                            i + 1),
                "Check the model: its weights may be damaged or quantised too far.");
        }
        result.tokens += windows[i].num_scored();
        if (progress)
            progress(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(windows.size()));
    }
    result.mean_nll = sum / static_cast<double>(result.tokens);
    result.perplexity = std::exp(result.mean_nll);
    return result;
}

}  // namespace espalier
