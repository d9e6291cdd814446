#include "prune/kept_counts.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <vector>

#include "base/error.h"

namespace espalier {
namespace {

/// Below this share a layer is not cut, however little its experts seem to do.
constexpr std::int64_t kFewestDivisor = 4;

Error refused(const std::string& what, std::int64_t nearest) {
    return Error(ErrorCode::RunRecipe, what, nearest_text(nearest));
}

std::int64_t lowest_from(std::int64_t kept, const RouterConfig& router) {
    while (kept < router.num_experts && !can_keep(kept, router)) ++kept;
    return kept;
}

}  // namespace

bool can_keep(std::int64_t kept, const RouterConfig& router) {
    if (kept < router.top_k || kept > router.num_experts) return false;
    return kept % router.num_groups == 0 &&
           kept / router.num_groups * router.top_groups >= router.top_k;
}

std::int64_t nearest_kept(std::int64_t wanted, const RouterConfig& router, std::int64_t lowest) {
    std::int64_t nearest = router.num_experts;
    for (std::int64_t kept = router.num_experts; kept >= std::max<std::int64_t>(1, lowest);
         --kept) {
        if (!can_keep(kept, router)) continue;
        if (std::abs(kept - wanted) < std::abs(nearest - wanted)) nearest = kept;
    }
    return nearest;
}

std::int64_t nearest_below(std::int64_t most, const RouterConfig& router) {
    while (most > 0 && !can_keep(most, router)) --most;
    return std::max<std::int64_t>(0, most);
}

std::string nearest_text(std::int64_t nearest) {
    return fmt::format("The nearest that can be kept is {}.", nearest);
}

void require_can_keep(std::int64_t kept, const RouterConfig& router) {
    if (can_keep(kept, router)) return;
    const std::int64_t nearest = nearest_kept(kept, router);
    if (kept < router.top_k || kept > router.num_experts) {
        throw refused(fmt::format("{} of {} experts would be kept, but each token is sent to {}.",
                                  kept, router.num_experts, router.top_k),
                      nearest);
    }
    if (kept % router.num_groups != 0) {
        throw refused(fmt::format("{} experts cannot be kept in equal shares of {} groups, which "
                                  "is what the router chooses by.",
                                  kept, router.num_groups),
                      nearest);
    }
    throw refused(fmt::format("Of {} kept experts a token could reach {}, but is sent to {}.", kept,
                              kept / router.num_groups * router.top_groups, router.top_k),
                  nearest);
}

std::int64_t fewest_for(std::span<const std::int32_t> ids, const RouterConfig& router) {
    const std::int64_t size = router.num_experts / router.num_groups;
    std::vector<std::int64_t> in_group(static_cast<std::size_t>(router.num_groups));
    for (const std::int32_t id : ids) ++in_group[static_cast<std::size_t>(id / size)];
    return *std::max_element(in_group.begin(), in_group.end()) * router.num_groups;
}

std::int64_t lowest_across(const RouterConfig& router) {
    return lowest_from((router.num_experts + kFewestDivisor - 1) / kFewestDivisor, router);
}

std::int64_t lowest_asked(std::int64_t asked, const RouterConfig& router) {
    if (asked == 0) return lowest_across(router);
    require_can_keep(asked, router);
    return asked;
}

std::int64_t lowest_measured(const RouterConfig& router) {
    return std::min(lowest_from((3 * router.top_k + 1) / 2, router), lowest_across(router));
}

}  // namespace espalier
