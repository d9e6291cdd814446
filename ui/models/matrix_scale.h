#pragma once

#include <optional>
#include <vector>

#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// How the numbers of a matrix become colours.
enum class MatrixScale { Linear, Log, Rank, ZScore };

/// The numbers at both ends of the colours. For ranks, the low end is the last rank.
struct MatrixLimits {
    double low = 0;
    double high = 1;
    bool operator==(const MatrixLimits&) const = default;
};

/// The matrix as it is shown: each cell's number on the scale, and where between the limits it
/// lies.
class ScaledMatrix {
public:
    ScaledMatrix() = default;
    /// @param ranks [layers, experts], 1 = highest
    /// @param fixed limits of the user; none: 1st to 99th percentile of the numbers
    ScaledMatrix(const ExpertMatrix& matrix, MatrixScale scale, std::optional<MatrixLimits> fixed);

    /// On the scale: ranks and z-scores are their own numbers, on a logarithmic scale the value
    /// itself. NaN if there is none.
    double shown(std::size_t cell) const { return m_shown[cell]; }
    /// 0 = low end, 1 = high end, limited to them; NaN if the cell has no colour, as values that
    /// are not above zero have none on a logarithmic scale.
    float fraction(std::size_t cell) const { return m_fractions[cell]; }
    /// The same for any number on the scale; not limited.
    double position(double shown) const;
    const MatrixLimits& limits() const { return m_limits; }
    MatrixScale scale() const { return m_scale; }
    /// Zero in the middle: differences that are neither ranked nor standardised.
    bool isDiverging() const { return m_isDiverging; }
    /// How many values have no colour because they are not above zero.
    std::size_t numNotPositive() const { return m_numNotPositive; }

private:
    MatrixLimits automatic() const;

    MatrixScale m_scale = MatrixScale::Linear;
    bool m_isDiverging = false;
    MatrixLimits m_limits;
    std::size_t m_numNotPositive = 0;
    std::vector<double> m_shown;
    std::vector<float> m_fractions;
};

/// Limits that a scale cannot use: equal or swapped ends, or not above zero on a logarithm.
bool isValid(const MatrixLimits& limits, MatrixScale scale);

}  // namespace espalier::ui
