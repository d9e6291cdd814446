#include "data/token_windows.h"

#include <algorithm>
#include <cmath>

namespace espalier {
namespace {

std::int64_t size_of(const WeightedTokens& source) {
    return static_cast<std::int64_t>(source.ids.size());
}

/// Hands `budget` to the sources in `open` by weight. Rounds the running sum, so that nothing is
/// lost.
void share_by_weight(std::span<const WeightedTokens> sources, const std::vector<std::size_t>& open,
                     std::int64_t budget, std::vector<std::int64_t>& shares) {
    double total = 0.0;
    for (const std::size_t i : open) total += sources[i].weight;
    double sum = 0.0;
    std::int64_t given = 0;
    for (const std::size_t i : open) {
        sum += sources[i].weight;
        const auto until =
            i == open.back() ? budget : std::llround(static_cast<double>(budget) * (sum / total));
        shares[i] = until - given;
        given = until;
    }
}

void append_window(TokenWindows& windows, std::int32_t task, std::span<const TokenId> ids) {
    windows.windows.emplace_back(ids.begin(), ids.end());
    windows.task_of_window.push_back(task);
}

}  // namespace

std::int64_t TokenWindows::num_tokens() const noexcept {
    std::int64_t count = 0;
    for (const auto& window : windows) count += static_cast<std::int64_t>(window.size());
    return count;
}

std::vector<std::int64_t> share_budget(std::span<const WeightedTokens> sources,
                                       std::int64_t max_tokens) {
    std::vector<std::int64_t> shares(sources.size());
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (max_tokens == 0) {
            shares[i] = sources[i].weight > 0 ? size_of(sources[i]) : 0;
        } else if (sources[i].weight > 0) {
            open.push_back(i);
        }
    }
    std::int64_t budget = max_tokens;
    while (!open.empty()) {  // every round fixes a source that is too short, or ends
        share_by_weight(sources, open, budget, shares);
        const auto is_short = [&](std::size_t i) { return shares[i] >= size_of(sources[i]); };
        const auto short_begin = std::stable_partition(open.begin(), open.end(),
                                                       [&](std::size_t i) { return !is_short(i); });
        if (short_begin == open.end()) break;
        for (auto i = short_begin; i != open.end(); ++i) {
            shares[*i] = size_of(sources[*i]);
            budget -= shares[*i];
        }
        open.erase(short_begin, open.end());
    }
    return shares;
}

TokenWindows cut_windows(std::span<const WeightedTokens> sources,
                         std::span<const std::int64_t> shares, std::int64_t context) {
    TokenWindows result;
    std::vector<std::vector<TokenId>> streams;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (shares[i] == 0) continue;
        const auto found = std::find(result.tasks.begin(), result.tasks.end(), sources[i].task);
        const auto task = static_cast<std::size_t>(found - result.tasks.begin());
        if (found == result.tasks.end()) {
            result.tasks.emplace_back(sources[i].task);
            streams.emplace_back();
        }
        const auto first = sources[i].ids.begin();
        streams[task].insert(streams[task].end(), first, first + shares[i]);
    }
    for (std::size_t task = 0; task < streams.size(); ++task) {
        std::span<const TokenId> rest = streams[task];
        while (!rest.empty()) {
            const auto window =
                rest.first(std::min(rest.size(), static_cast<std::size_t>(context)));
            append_window(result, static_cast<std::int32_t>(task), window);
            rest = rest.subspan(window.size());
        }
    }
    return result;
}

}  // namespace espalier
