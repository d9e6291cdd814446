#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace espalier {

/// A source's tokens, and its part in the whole.
struct WeightedTokens {
    std::string_view task;
    double weight = 1.0;
    std::vector<TokenId> ids;
};

/// Tokens that each source contributes so that they sum up to `max_tokens` (0 = all there are): in
/// proportion to the weights, and what a short source cannot give goes to the others.
std::vector<std::int64_t> share_budget(std::span<const WeightedTokens> sources,
                                       std::int64_t max_tokens);

/// The first `shares[i]` tokens of every source, joined by task in order of appearance, cut into
/// windows of `context` tokens.
TokenWindows cut_windows(std::span<const WeightedTokens> sources,
                         std::span<const std::int64_t> shares, std::int64_t context);

}  // namespace espalier
