#pragma once

#include <cstddef>

class QValueAxis;

namespace espalier::ui {

/// Whole numbers at most ten times along the axis, one of them at `anchor`.
void showWholeNumbers(QValueAxis& axis, double from, double to, double anchor, std::size_t count);

/// From 0 to what holds `highest` in at most five steps of 1, 2 or 5 times a power of ten.
void fitFromZero(QValueAxis& axis, double highest);

/// The same between two numbers that need not be near zero.
void fitBetween(QValueAxis& axis, double lowest, double highest);

double finiteOrZero(double value);

}  // namespace espalier::ui
