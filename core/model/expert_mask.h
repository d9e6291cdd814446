#pragma once

#include <cstdint>
#include <vector>

namespace espalier {

/// Experts that a running model must treat as gone: their router logits become -inf before any
/// softmax, which is exactly what the pruned model computes (a mask that leaves fewer than top_k is
/// refused).
struct ExpertMask {
    /// [layer][expert], true = gone; layers without a router have an empty row; empty = nothing is
    /// masked.
    std::vector<std::vector<bool>> removed;
    /// [layer], what multiplies the sum of a layer's experts (LayerPlan::output_scale); empty = 1.
    std::vector<float> output_scale = {};

    bool empty() const noexcept { return removed.empty(); }
    bool is_removed(std::int64_t layer, std::int64_t expert) const {
        if (removed.empty()) return false;
        const auto& row = removed[static_cast<std::size_t>(layer)];
        return !row.empty() && row[static_cast<std::size_t>(expert)];
    }
    float output_scale_of(std::int64_t layer) const {
        return output_scale.empty() ? 1.0F : output_scale[static_cast<std::size_t>(layer)];
    }
    bool operator==(const ExpertMask&) const = default;
};

}  // namespace espalier
