#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/moe_config.h"

namespace espalier {

/// Whether a layer of this router can do with so many experts: equal shares of every group, and as
/// many in reach as a token is sent to.
bool can_keep(std::int64_t kept, const RouterConfig& router);

/// What comes nearest to `wanted` of all that can be kept and is at least `lowest`; of two equally
/// near the larger. The router's own number if nothing else.
std::int64_t nearest_kept(std::int64_t wanted, const RouterConfig& router, std::int64_t lowest = 1);

/// The most that can be kept of `most`; 0 if that is nothing.
std::int64_t nearest_below(std::int64_t most, const RouterConfig& router);

/// "The nearest that can be kept is 32."
std::string nearest_text(std::int64_t nearest);

/// @throws Error RunRecipe that says why not and what is nearest
void require_can_keep(std::int64_t kept, const RouterConfig& router);

/// The fewest experts that keep `ids` all and every group's share: the fullest group decides.
std::int64_t fewest_for(std::span<const std::int32_t> ids, const RouterConfig& router);

/// The fewest that a layer is left with where layers may differ, unless a user says otherwise: a
/// quarter, and what its router needs.
std::int64_t lowest_across(const RouterConfig& router);
/// @param asked 0: lowest_across() @throws Error RunRecipe for fewer than can be kept
std::int64_t lowest_asked(std::int64_t asked, const RouterConfig& router);

/// The same where removals are measured in place of estimated: half as many again as a token is
/// sent to, as the router should still have a choice.
std::int64_t lowest_measured(const RouterConfig& router);

}  // namespace espalier
