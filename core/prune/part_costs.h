#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace espalier {

/// What a choice of experts costs on each part of the data.
using PartCosts = std::vector<double>;

inline double mean_of(const PartCosts& costs) {
    double sum = 0;
    for (const double cost : costs) sum += cost;
    return sum / static_cast<double>(costs.size());
}

struct CostDifference {
    double mean = 0;
    double error = 0;  ///< standard error of the mean; 0 of one part
};

/// Of a choice from another, on the first parts of the other's: paired, as texts differ more than
/// choices do.
inline CostDifference difference(const PartCosts& trial, const PartCosts& other) {
    const auto count = static_cast<double>(trial.size());
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < trial.size(); ++i) {
        const double change = trial[i] - other[i];
        sum += change;
        squares += change * change;
    }
    if (trial.size() < 2) return {sum, 0};
    const double variance = std::max(0.0, (squares - sum * sum / count) / (count - 1));
    return {sum / count, std::sqrt(variance / count)};
}

/// Whether a choice costs less than the other by more than chance.
/// @param errors standard errors that chance may make
inline bool is_surely_lower(const PartCosts& trial, const PartCosts& other, double errors = 1) {
    const CostDifference change = difference(trial, other);
    return change.mean < -errors * change.error;
}

/// One of a dozen choices is lucky by so many standard errors once in a hundred times.
inline constexpr double kErrorsOfMany = 3;

/// Index of the cheapest of those choices that cost less than the other by more than chance.
/// @param expected the choice that was thought the best beforehand: of it one standard error is
/// enough, as it is no pick of the luckiest
inline std::optional<std::size_t> surely_lowest(std::span<const PartCosts> choices,
                                                const PartCosts& other, std::size_t expected) {
    std::optional<std::size_t> lowest;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (!is_surely_lower(choices[i], other, i == expected ? 1 : kErrorsOfMany)) continue;
        if (!lowest || mean_of(choices[i]) < mean_of(choices[*lowest])) lowest = i;
    }
    return lowest;
}

}  // namespace espalier
