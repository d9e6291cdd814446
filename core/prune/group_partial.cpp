#include <span>

#include "prune/expert_vectors.h"
#include "prune/group_functions.h"

namespace espalier {

ExpertGroups group_partial(const GroupingTask& task) {
    const ExpertVectors outputs = mean_outputs(task.stats);
    const std::size_t untouched = (task.survivors.size() + 1) / 2;
    ExpertGroups groups = join_most_alike(
        std::span(task.survivors).subspan(untouched), task.leaving,
        [&](std::int32_t host, std::int32_t expert) { return -outputs.distance(host, expert); });
    for (std::size_t i = 0; i < untouched; ++i) groups.push_back({task.survivors[i]});
    return groups;
}

}  // namespace espalier
