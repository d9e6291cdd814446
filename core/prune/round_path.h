#pragma once

#include <cstdint>
#include <vector>

#include "model/moe_config.h"

namespace espalier {

struct RoundPathOptions {
    std::int64_t rounds = 0;  ///< 0: as many as the step needs
    double step = 0.05;       ///< largest share of the original experts that one round removes
};

/// How many experts of a layer stay after each round, down to `target`, which comes last: equal
/// steps, or, where more than 40 % go, equal shares of what is left (N * (target / N)^(s/S)). Each
/// is a number that the router can do with; two rounds never have the same.
/// @throws Error RunRecipe for a step that is no share or a negative number of rounds
std::vector<std::int64_t> round_path(const RouterConfig& router, std::int64_t target,
                                     const RoundPathOptions& options);

/// Half-way back from `next` to `current`, as a number that the router can do with; `current` if
/// not even one expert less (of each group) lies between them.
std::int64_t halved_step(const RouterConfig& router, std::int64_t current, std::int64_t next);

}  // namespace espalier
