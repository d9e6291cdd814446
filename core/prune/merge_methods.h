#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "routing/expert_stats.h"

namespace espalier {

/// [survivor, member, …] each; members ascending.
using ExpertGroups = std::vector<std::vector<std::int32_t>>;

/// What is to be grouped: the experts of a layer, or of one of its router's groups. Those that are
/// never merged and those that must go whatever happens are in no list.
struct GroupingTask {
    const LayerStats& stats;
    std::vector<std::int32_t> survivors;  ///< that the criterion chose, best first
    std::vector<std::int32_t> leaving;    ///< the others, best first
    std::vector<std::int32_t> pinned;     ///< survivors that no method may exchange, ascending
};

/// A way to merge experts: pure functions of one layer's statistics.
struct MergeMethod {
    std::string_view name;         ///< as recipes and the command line spell it
    std::string_view description;  ///< one sentence for people
    /// As many groups as there are survivors, those of one expert too; each expert in one at most.
    /// Ties go to the better expert.
    std::function<ExpertGroups(const GroupingTask&)> group;
    /// [experts], what each one counts in a mean.
    std::function<std::vector<double>(const LayerStats&)> weights;
    /// Survivors are chosen by this criterion and no other; empty: by any.
    std::string_view criterion = {};
};

/// All that are built in, in the order in which they are offered. To add one: a function in a file
/// of its own and a row in the table of merge_methods.cpp.
std::span<const MergeMethod> merge_methods();
/// @throws Error RunRecipe that lists the known ones
const MergeMethod& find_merge_method(std::string_view name);

}  // namespace espalier
