#include "ui/theme/metrics.h"

#include <QFontDatabase>
#include <QWidget>
#include <algorithm>

namespace espalier::ui {
namespace {

QFont scaled(const QFont& base, double factor, QFont::Weight weight) {
    QFont font = base;
    font.setPointSizeF(base.pointSizeF() * factor);
    font.setWeight(weight);
    return font;
}

}  // namespace

QFont captionFont(const QFont& base) {
    QFont font = base;
    font.setPointSizeF(std::max(std::min(9.0, base.pointSizeF()), base.pointSizeF() * 0.9));
    return font;
}

QFont headingFont(const QFont& base) { return scaled(base, 1.25, QFont::DemiBold); }
QFont titleFont(const QFont& base) { return scaled(base, 1.6, QFont::DemiBold); }
QFont bigNumberFont(const QFont& base) { return scaled(base, 2.0, QFont::Light); }

bool isNarrow(const QWidget& page) {
    constexpr int lettersForColumns = 120;
    return page.width() < lettersForColumns * page.fontMetrics().averageCharWidth();
}

QFont fixedFont(const QFont& base) {
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    font.setPointSizeF(base.pointSizeF());
    return font;
}

}  // namespace espalier::ui
