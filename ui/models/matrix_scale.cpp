#include "ui/models/matrix_scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace espalier::ui {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double lowPercentile = 0.01;
constexpr double highPercentile = 0.99;

/// Mean 0 and deviation 1 in each layer; 0 where all of a layer are equal.
std::vector<double> standardised(const std::vector<double>& values, std::size_t width) {
    std::vector<double> scores(values.size(), none);
    for (std::size_t begin = 0; begin < values.size(); begin += width) {
        double count = 0;
        double sum = 0;
        for (std::size_t i = begin; i < begin + width; ++i) {
            if (!std::isfinite(values[i])) continue;
            count += 1;
            sum += values[i];
        }
        const double mean = sum / count;
        double squares = 0;
        for (std::size_t i = begin; i < begin + width; ++i) {
            if (std::isfinite(values[i])) squares += (values[i] - mean) * (values[i] - mean);
        }
        const double deviation = std::sqrt(squares / count);
        for (std::size_t i = begin; i < begin + width; ++i) {
            if (std::isfinite(values[i]))
                scores[i] = deviation > 0 ? (values[i] - mean) / deviation : 0;
        }
    }
    return scores;
}

double percentile(std::vector<double>& values, double share) {
    const auto index =
        static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(values.size() - 1)));
    std::nth_element(values.begin(), values.begin() + index, values.end());
    return values[static_cast<std::size_t>(index)];
}

std::vector<double> shownNumbers(const ExpertMatrix& matrix, MatrixScale scale) {
    if (scale == MatrixScale::ZScore)
        return standardised(matrix.values, static_cast<std::size_t>(matrix.numExperts));
    std::vector<double> shown = matrix.values;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (!std::isfinite(shown[i])) {
            shown[i] = none;
        } else if (scale == MatrixScale::Rank) {
            shown[i] = matrix.ranks[i];
        }
    }
    return shown;
}

}  // namespace

bool isValid(const MatrixLimits& limits, MatrixScale scale) {
    if (!std::isfinite(limits.low) || !std::isfinite(limits.high)) return false;
    if (scale == MatrixScale::Rank) return limits.low != limits.high;
    return limits.low < limits.high && (scale != MatrixScale::Log || limits.low > 0);
}

ScaledMatrix::ScaledMatrix(const ExpertMatrix& matrix, MatrixScale scale,
                           std::optional<MatrixLimits> fixed)
    // A difference has no logarithm.
    : m_scale(matrix.isDifference && scale == MatrixScale::Log ? MatrixScale::Linear : scale),
      m_isDiverging(matrix.isDifference && m_scale == MatrixScale::Linear),
      m_shown(shownNumbers(matrix, m_scale)) {
    if (m_scale == MatrixScale::Rank) {
        m_limits = {static_cast<double>(std::max(matrix.numExperts, 2)), 1};
    } else {
        m_limits = automatic();
    }
    if (fixed && isValid(*fixed, m_scale)) m_limits = *fixed;
    if (m_isDiverging) {
        const double reach = std::max(std::abs(m_limits.low), std::abs(m_limits.high));
        m_limits = {-reach, reach};
    }
    m_fractions.resize(m_shown.size());
    for (std::size_t i = 0; i < m_shown.size(); ++i) {
        const double at = position(m_shown[i]);
        m_fractions[i] = static_cast<float>(std::isnan(at) ? none : std::clamp(at, 0.0, 1.0));
        if (std::isnan(at) && !std::isnan(m_shown[i])) ++m_numNotPositive;
    }
}

double ScaledMatrix::position(double shown) const {
    if (m_scale != MatrixScale::Log) return (shown - m_limits.low) / (m_limits.high - m_limits.low);
    if (!(shown > 0)) return none;
    return std::log(shown / m_limits.low) / std::log(m_limits.high / m_limits.low);
}

MatrixLimits ScaledMatrix::automatic() const {
    std::vector<double> counted;
    std::copy_if(m_shown.begin(), m_shown.end(), std::back_inserter(counted), [this](double value) {
        return m_scale == MatrixScale::Log ? value > 0 : !std::isnan(value);
    });
    if (counted.empty()) return m_scale == MatrixScale::Log ? MatrixLimits{0.1, 1} : MatrixLimits{};
    if (m_isDiverging) {
        for (double& value : counted) value = std::abs(value);
        const double reach = percentile(counted, highPercentile);
        return reach > 0 ? MatrixLimits{-reach, reach} : MatrixLimits{-1, 1};
    }
    const MatrixLimits found{percentile(counted, lowPercentile),
                             percentile(counted, highPercentile)};
    if (found.low < found.high) return found;
    // All alike: they lie in the middle.
    const double margin = found.low == 0 ? 1 : std::abs(found.low) / 2;
    return {found.low - margin, found.low + margin};
}

}  // namespace espalier::ui
