#include "prune/group_layer.h"

#include <algorithm>
#include <set>

namespace espalier {

LayerPlan group_layer(const LayerPlan& plan, const LayerGrouping& grouping) {
    const RouterConfig& router = grouping.router;
    const std::set<std::int32_t> kept(plan.kept.begin(), plan.kept.end());
    const std::set<std::int32_t> out(plan.forced_out.begin(), plan.forced_out.end());
    const std::set<std::int32_t> apart(grouping.apart.begin(), grouping.apart.end());
    LayerPlan result{
        {apart.begin(), apart.end()}, plan.locked, plan.forced_out, {}, plan.output_scale};
    const std::set<std::int32_t> pinned(grouping.pinned.begin(), grouping.pinned.end());
    const std::int64_t size = router.num_experts / router.num_groups;
    for (std::int64_t g = 0; g < router.num_groups; ++g) {
        GroupingTask task{.stats = grouping.stats,
                          .survivors = {},
                          .leaving = {},
                          .pinned = {pinned.begin(), pinned.end()}};
        for (const std::int32_t expert : grouping.order) {
            if (expert / size != g || apart.contains(expert) || out.contains(expert)) continue;
            (kept.contains(expert) ? task.survivors : task.leaving).push_back(expert);
        }
        for (auto& group : grouping.method.group(task)) {
            result.kept.push_back(group.front());
            if (group.size() > 1) result.groups.push_back(std::move(group));
        }
    }
    std::sort(result.kept.begin(), result.kept.end());
    std::sort(result.groups.begin(), result.groups.end());
    return result;
}

}  // namespace espalier
