#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace espalier {

/// How many tokens the samples for merging are of, at most.
inline constexpr std::size_t kProfileSamples = 512;

/// What a token of a batch counts for.
struct TokenTag {
    std::int32_t task = 0;      ///< index into ExpertStats::tasks; -1 = padding, counts for nothing
    std::int32_t half = 0;      ///< 0 or 1
    std::int32_t doubling = 0;  ///< which doubling of the data brings it in, below kDoublings
    std::int32_t position_bin = 0;  ///< below kPositionBins
    std::int32_t sample = -1;       ///< which of the sampled tokens it is; -1 = none
    std::int64_t row = 0;           ///< of all tokens of the data, whatever the shard
};

/// What each token counts for. Depends on the windows alone, not on the shard, so that the parts of
/// shards add up. Halves and doublings take whole windows by turns: every task is in all of them.
class TokenTags {
public:
    /// @param windows must outlive this
    explicit TokenTags(const TokenWindows& windows);

    std::vector<TokenTag> of(std::size_t first_window, std::size_t num_windows) const;
    std::size_t num_samples() const noexcept { return sample_rows_.size(); }

    struct Place {
        std::size_t window = 0;
        std::size_t position = 0;
    };
    /// Where a row of all tokens stands.
    Place place_of(std::int64_t row) const;

private:
    const TokenWindows& windows_;
    std::vector<std::int64_t> first_rows_;   ///< of each window
    std::vector<std::int64_t> sample_rows_;  ///< ascending
    std::size_t longest_ = 1;
};

}  // namespace espalier
