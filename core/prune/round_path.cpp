#include "prune/round_path.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"
#include "prune/kept_counts.h"

namespace espalier {
namespace {

/// Above this share of experts that go, later rounds remove fewer than earlier ones.
constexpr double kLargestLinearCut = 0.4;
/// Shares of whole experts are not told apart from rounding.
constexpr double kRounding = 1e-9;

std::int64_t rounds_for(double experts, double target, bool is_geometric, double step) {
    const double needed = is_geometric ? std::log(target / experts) / std::log1p(-step)
                                       : (experts - target) / (step * experts);
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(needed - kRounding)));
}

}  // namespace

std::vector<std::int64_t> round_path(const RouterConfig& router, std::int64_t target,
                                     const RoundPathOptions& options) {
    if (!(options.step > 0 && options.step < 1) || options.rounds < 0) {
        throw Error(
            ErrorCode::RunRecipe,
            fmt::format("{} rounds with steps of {} of the experts.", options.rounds, options.step),
            "Enter a step above 0 and below 1, and no negative number of rounds.");
    }
    require_can_keep(target, router);
    const auto experts = static_cast<double>(router.num_experts);
    const auto last = static_cast<double>(target);
    const bool is_geometric = 1 - last / experts > kLargestLinearCut;
    const std::int64_t rounds =
        options.rounds > 0 ? options.rounds : rounds_for(experts, last, is_geometric, options.step);
    std::vector<std::int64_t> path;
    for (std::int64_t s = 1; s < rounds; ++s) {
        const double share = static_cast<double>(s) / static_cast<double>(rounds);
        const double wanted = is_geometric ? experts * std::pow(last / experts, share)
                                           : experts - (experts - last) * share;
        const std::int64_t kept = nearest_kept(std::llround(wanted), router, target);
        const std::int64_t before = path.empty() ? router.num_experts : path.back();
        if (kept < before && kept > target) path.push_back(kept);
    }
    if (target < router.num_experts) path.push_back(target);
    return path;
}

std::int64_t halved_step(const RouterConfig& router, std::int64_t current, std::int64_t next) {
    for (std::int64_t kept = current - (current - next) / 2; kept < current; ++kept) {
        if (kept > next && can_keep(kept, router)) return kept;
    }
    return current;
}

}  // namespace espalier
