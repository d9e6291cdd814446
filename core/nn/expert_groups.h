#pragma once

#include <cstdint>
#include <span>
#include <torch/types.h>
#include <vector>

namespace espalier {

/// Which tokens each expert has to compute, from a router's selection [tokens, top_k].
class ExpertGroups {
public:
    ExpertGroups(const torch::Tensor& selected, std::int64_t num_experts);

    /// Rows of the batch that chose `expert`, ascending.
    std::span<const std::int64_t> tokens(std::int64_t expert) const {
        return part(tokens_, expert);
    }
    /// Positions of those choices in the flattened [tokens * top_k].
    std::span<const std::int64_t> slots(std::int64_t expert) const { return part(slots_, expert); }
    /// All slots, expert by expert.
    std::span<const std::int64_t> slots() const { return slots_; }
    std::int64_t num_experts() const { return static_cast<std::int64_t>(begin_.size()) - 1; }

private:
    std::span<const std::int64_t> part(const std::vector<std::int64_t>& all,
                                       std::int64_t expert) const {
        const auto e = static_cast<std::size_t>(expert);
        return std::span(all).subspan(begin_[e], begin_[e + 1] - begin_[e]);
    }

    std::vector<std::size_t> begin_;  ///< [experts + 1]
    std::vector<std::int64_t> tokens_;
    std::vector<std::int64_t> slots_;
};

}  // namespace espalier
