#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "model/moe_config.h"
#include "prune/expert_plan.h"

namespace espalier {

/// Fills a layer up to a number of experts: first those that must stay, then others as far as there
/// is room, in equal shares of the router's groups.
class LayerSelection {
public:
    /// @param wish must outlive this
    LayerSelection(const LayerPlan& wish, std::int64_t layer, std::int64_t kept,
                   const RouterConfig& router);

    /// All that must stay, at once. @throws Error RunRecipe that says how many would do
    void require(std::span<const std::int32_t> experts);

    bool has_room_for(std::int32_t expert) const;
    /// Takes the expert if there is room and it is not forced out.
    void prefer(std::int32_t expert);
    bool is_full() const noexcept { return chosen_.size() >= room_; }
    const std::set<std::int32_t>& chosen() const noexcept { return chosen_; }

    /// Exchanges a chosen expert for another one of the same group.
    void exchange(std::int32_t out, std::int32_t in);
    /// Whether the two may be exchanged: neither must stay or go, and one group has both.
    bool may_exchange(std::int32_t out, std::int32_t in) const;
    /// From now on, what is chosen counts as what must stay: champions, for instance.
    void pin_chosen() { pinned_ = chosen_; }

    /// Takes the choice of another selection of the same layer.
    void become(const LayerSelection& other);

    /// @throws Error RunRecipe if so many are forced out that there are not enough
    LayerPlan finish() const;

private:
    bool is_forced_out(std::int32_t expert) const;
    std::size_t group_of(std::int32_t expert) const;

    const LayerPlan& wish_;
    std::int64_t layer_;
    const RouterConfig& router_;
    std::size_t room_;
    std::size_t room_in_group_;
    std::vector<std::size_t> in_group_;
    std::set<std::int32_t> chosen_;
    std::set<std::int32_t> pinned_;
};

}  // namespace espalier
