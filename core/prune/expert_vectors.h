#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "prune/merge_methods.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Vectors of the experts of a layer, [experts, columns].
class ExpertVectors {
public:
    ExpertVectors(std::vector<double> values, std::size_t num_experts);

    std::span<const double> of(std::int32_t expert) const;
    double distance(std::int32_t a, std::int32_t b) const;
    /// 0 where one of them is nothing but zeros.
    double cosine(std::int32_t a, std::int32_t b) const;

private:
    std::vector<double> values_;
    std::size_t columns_;
};

/// B_e / n_e; zeros where nothing was counted. @throws Error RunRecipe if it was not gathered
ExpertVectors mean_outputs(const LayerStats& stats);

/// Lets each of `leaving` join the one of `hosts` that it is most like; the first of those that are
/// equally like it. A group for each host, in their order; none for no host.
ExpertGroups join_most_alike(std::span<const std::int32_t> hosts,
                             std::span<const std::int32_t> leaving,
                             const std::function<double(std::int32_t, std::int32_t)>& likeness);

}  // namespace espalier
