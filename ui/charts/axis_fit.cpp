#include "ui/charts/axis_fit.h"

#include <QValueAxis>
#include <cmath>

namespace espalier::ui {
namespace {

/// A whole-number distance that puts at most ten ticks on an axis of `count` steps.
double tickDistance(std::size_t count) {
    double distance = 1;
    while (static_cast<double>(count) / distance > 10) distance *= 2;
    return distance;
}

/// The least of 1, 2 or 5 times a power of ten of which five reach across `range`.
double roundStep(double range) {
    const double power = std::pow(10.0, std::floor(std::log10(range)));
    double step = 2 * power;
    for (const double factor : {1.0, 0.5, 0.2}) {
        if (range <= 5 * factor * power) step = factor * power;
    }
    return step;
}

}  // namespace

void showWholeNumbers(QValueAxis& axis, double from, double to, double anchor, std::size_t count) {
    axis.setTickType(QValueAxis::TicksDynamic);
    axis.setTickAnchor(anchor);
    axis.setTickInterval(tickDistance(count));
    axis.setLabelFormat(QStringLiteral("%.0f"));
    axis.setRange(from, to);
}

void fitFromZero(QValueAxis& axis, double highest) {
    const double step = roundStep(highest);
    const auto steps = static_cast<int>(std::ceil(highest / step - 1e-9));
    axis.setRange(0, steps * step);
    axis.setTickCount(steps + 1);
}

void fitBetween(QValueAxis& axis, double lowest, double highest) {
    if (!(highest > lowest)) {
        const double margin = lowest == 0 ? 1 : std::abs(lowest) / 10;
        lowest -= margin;
        highest += margin;
    }
    const double step = roundStep(highest - lowest);
    const double from = std::floor(lowest / step + 1e-9) * step;
    const auto steps = static_cast<int>(std::ceil((highest - from) / step - 1e-9));
    axis.setRange(from, from + steps * step);
    axis.setTickCount(steps + 1);
}

double finiteOrZero(double value) { return std::isfinite(value) ? value : 0; }

}  // namespace espalier::ui
