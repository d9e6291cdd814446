#include <algorithm>

#include "prune/expert_vectors.h"
#include "prune/group_functions.h"
#include "routing/score_functions.h"

namespace espalier {

ExpertGroups group_m_smoe(const GroupingTask& task) {
    const std::size_t experts = task.stats.count.size();
    require_gathered(task.stats.router_profile, std::max(task.stats.router_profile.size(), experts),
                     OptionalStat::Profiles);
    const ExpertVectors profiles(task.stats.router_profile, experts);
    return join_most_alike(
        task.survivors, task.leaving,
        [&](std::int32_t host, std::int32_t expert) { return profiles.cosine(host, expert); });
}

}  // namespace espalier
