#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

namespace espalier {

/// Sequences laid one after the other: rows of hidden states are [tokens, hidden] whatever the
/// lengths. Each attends to itself alone, positions start at 0 in each.
struct Sequences {
    std::vector<std::int64_t> lengths;

    std::int64_t num_tokens() const {
        return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    }
};

}  // namespace espalier
