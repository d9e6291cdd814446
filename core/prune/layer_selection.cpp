#include "prune/layer_selection.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/kept_counts.h"

namespace espalier {

LayerSelection::LayerSelection(const LayerPlan& wish, std::int64_t layer, std::int64_t kept,
                               const RouterConfig& router)
    : wish_(wish),
      layer_(layer),
      router_(router),
      room_(static_cast<std::size_t>(kept)),
      room_in_group_(static_cast<std::size_t>(kept / router.num_groups)),
      in_group_(static_cast<std::size_t>(router.num_groups), 0) {}

void LayerSelection::require(std::span<const std::int32_t> experts) {
    for (const std::int32_t expert : experts) {
        if (is_forced_out(expert)) {
            throw Error(
                ErrorCode::RunRecipe,
                fmt::format("Expert {} of layer {} must stay and is forced out.", expert, layer_),
                "Unlock the expert, or take it off the list of those to remove.");
        }
        if (chosen_.insert(expert).second) ++in_group_[group_of(expert)];
    }
    pinned_ = chosen_;
    const bool fits = std::all_of(in_group_.begin(), in_group_.end(),
                                  [&](std::size_t count) { return count <= room_in_group_; });
    if (fits && chosen_.size() <= room_) return;
    const std::vector<std::int32_t> ids(chosen_.begin(), chosen_.end());
    throw Error(ErrorCode::RunRecipe,
                fmt::format("{} experts of layer {} must stay{}, more than the {} that are kept.",
                            ids.size(), layer_,
                            in_group_.size() > 1 ? ", too many of one of its groups" : "", room_),
                fmt::format("{} Or unlock some.",
                            nearest_text(nearest_kept(static_cast<std::int64_t>(room_), router_,
                                                      fewest_for(ids, router_)))));
}

bool LayerSelection::has_room_for(std::int32_t expert) const {
    return in_group_[group_of(expert)] < room_in_group_ && !is_forced_out(expert) &&
           !chosen_.contains(expert);
}

void LayerSelection::prefer(std::int32_t expert) {
    if (!has_room_for(expert)) return;
    chosen_.insert(expert);
    ++in_group_[group_of(expert)];
}

bool LayerSelection::may_exchange(std::int32_t out, std::int32_t in) const {
    return chosen_.contains(out) && !chosen_.contains(in) && !pinned_.contains(out) &&
           !is_forced_out(in) && group_of(out) == group_of(in);
}

void LayerSelection::exchange(std::int32_t out, std::int32_t in) {
    chosen_.erase(out);
    chosen_.insert(in);
}

void LayerSelection::become(const LayerSelection& other) {
    chosen_ = other.chosen_;
    in_group_ = other.in_group_;
}

LayerPlan LayerSelection::finish() const {
    if (chosen_.size() < room_) {
        const std::int64_t nearest =
            nearest_below(router_.num_experts - fewest_for(wish_.forced_out, router_), router_);
        throw Error(
            ErrorCode::RunRecipe,
            fmt::format("So many experts of layer {} are forced out that {} cannot be kept.",
                        layer_, room_),
            nearest > 0 ? fmt::format("{} Or force fewer out.", nearest_text(nearest))
                        : std::string("Force fewer experts out."));
    }
    return {{chosen_.begin(), chosen_.end()}, wish_.locked, wish_.forced_out};
}

bool LayerSelection::is_forced_out(std::int32_t expert) const {
    return std::find(wish_.forced_out.begin(), wish_.forced_out.end(), expert) !=
           wish_.forced_out.end();
}

std::size_t LayerSelection::group_of(std::int32_t expert) const {
    return static_cast<std::size_t>(expert / (router_.num_experts / router_.num_groups));
}

}  // namespace espalier
