#include "ui/models/cell_number.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

namespace espalier::ui {

int cellExponent(const ScaledMatrix& scaled) {
    const MatrixLimits& limits = scaled.limits();
    const double largest = std::max(std::abs(limits.low), std::abs(limits.high));
    if (scaled.scale() == MatrixScale::Rank || !(largest > 0) || !std::isfinite(largest)) return 0;
    return 2 * static_cast<int>(std::floor(std::log10(largest) / 2));
}

QString cellNumber(double value, int exponent, MatrixScale scale) {
    if (std::isnan(value)) return {};
    if (scale == MatrixScale::Rank) return QString::number(static_cast<int>(value));
    const double number = std::abs(value) / std::pow(10.0, exponent);
    if (number < 0.05) return QStringLiteral("0");
    QLocale locale;
    locale.setNumberOptions(QLocale::OmitGroupSeparator);
    return locale.toString(number, 'f', number < 9.95 ? 1 : 0);
}

}  // namespace espalier::ui
