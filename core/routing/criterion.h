#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/expert_stats.h"

namespace espalier {

struct CriterionContext {
    std::int64_t layer = 0;
    std::uint64_t seed = 0;
};

/// A way to score experts: a pure function of one layer's statistics. Higher = keep. Never NaN: an
/// expert that no token chose scores 0.
struct Criterion {
    std::string_view name;         ///< as recipes and the command line spell it
    std::string_view description;  ///< one sentence for people
    std::function<std::vector<double>(const LayerStats&, const CriterionContext&)> score;
};

/// All that are built in, in the order in which they are offered. To add one: a function in a file
/// of its own and a row in the table of criterion.cpp.
std::span<const Criterion> criteria();
/// @throws Error RunRecipe that lists the known ones
const Criterion& find_criterion(std::string_view name);

/// Standard error of the REAP score, sqrt((R2/n - S^2)/n); 0 where n < 2.
std::vector<double> reap_standard_error(const LayerStats& stats);

}  // namespace espalier
