#pragma once

#include <cstdint>
#include <numeric>
#include <torch/types.h>
#include <vector>

namespace espalier {

/// Sequences laid one after the other: rows of hidden states are [tokens, hidden] whatever the
/// lengths. Each sees itself alone, positions start at 0 in each.
struct Sequences {
    std::vector<std::int64_t> lengths;

    std::int64_t num_tokens() const {
        return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    }

    /// mix(begin, length) of every sequence, [length, ...] each, one after the other.
    template <typename Mix>
    torch::Tensor mix_each(const Mix& mix) const {
        std::vector<torch::Tensor> mixed;
        std::int64_t begin = 0;
        for (const std::int64_t length : lengths) {
            mixed.push_back(mix(begin, length));
            begin += length;
        }
        return mixed.size() == 1 ? mixed.front() : torch::cat(mixed, 0);
    }
};

}  // namespace espalier
