#include "calib/token_tags.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/rng.h"
#include "routing/expert_stats.h"

namespace espalier {
namespace {

/// 0 for every eighth window, 1 for those that make it every fourth, and so on.
std::int32_t doubling_of(std::size_t window) {
    std::int32_t doubling = kDoublings - 1;
    while (doubling > 0 && window % 2 == 0) {
        window /= 2;
        --doubling;
    }
    return doubling;
}

/// The same rows for the same number of tokens.
std::vector<std::int64_t> choose_samples(std::int64_t num_tokens) {
    const auto wanted = static_cast<std::int64_t>(kProfileSamples);
    if (num_tokens <= wanted) {
        std::vector<std::int64_t> rows(static_cast<std::size_t>(num_tokens));
        std::iota(rows.begin(), rows.end(), 0);
        return rows;
    }
    Rng rng = Rng(0).stream("calib.profile");
    std::set<std::int64_t> rows;
    while (rows.size() < kProfileSamples) {
        rows.insert(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(num_tokens))));
    }
    return {rows.begin(), rows.end()};
}

}  // namespace

TokenTags::TokenTags(const TokenWindows& windows) : windows_(windows) {
    std::int64_t row = 0;
    for (const auto& window : windows.windows) {
        first_rows_.push_back(row);
        row += static_cast<std::int64_t>(window.size());
        longest_ = std::max(longest_, window.size());
    }
    sample_rows_ = choose_samples(row);
}

std::vector<TokenTag> TokenTags::of(std::size_t first_window, std::size_t num_windows) const {
    std::vector<TokenTag> tags;
    for (std::size_t w = first_window; w < first_window + num_windows; ++w) {
        const std::int64_t first = first_rows_[w];
        auto sample = std::lower_bound(sample_rows_.begin(), sample_rows_.end(), first);
        for (std::size_t i = 0; i < windows_.windows[w].size(); ++i) {
            TokenTag tag{.task = windows_.task_of_window[w],
                         .half = static_cast<std::int32_t>(w % 2),
                         .doubling = doubling_of(w),
                         .position_bin = static_cast<std::int32_t>(i * kPositionBins / longest_),
                         .sample = -1,
                         .row = first + static_cast<std::int64_t>(i)};
            if (sample != sample_rows_.end() && *sample == tag.row) {
                tag.sample = static_cast<std::int32_t>(sample++ - sample_rows_.begin());
            }
            tags.push_back(tag);
        }
    }
    return tags;
}

TokenTags::Place TokenTags::place_of(std::int64_t row) const {
    // Empty windows share their row with the next: the last that begins there holds it.
    const auto after = std::upper_bound(first_rows_.begin(), first_rows_.end(), row);
    const auto window = static_cast<std::size_t>(after - first_rows_.begin()) - 1;
    return {window, static_cast<std::size_t>(row - first_rows_[window])};
}

}  // namespace espalier
