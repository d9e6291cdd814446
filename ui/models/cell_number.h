#pragma once

#include <QString>

#include "ui/models/matrix_scale.h"

namespace espalier::ui {

/// All numbers in the cells of a map count in one unit, so that they can be compared: an even power
/// of ten in which the limits of the colours have one or two digits before the point. 0 for ranks.
int cellExponent(const ScaledMatrix& scaled);

/// "14", "0.8" or "0" for a number in units of 10^exponent, without its sign, which the colours
/// tell; a rank whole; empty for none.
QString cellNumber(double value, int exponent, MatrixScale scale);

}  // namespace espalier::ui
