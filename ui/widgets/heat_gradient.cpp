#include "ui/widgets/heat_gradient.h"

#include <QPainter>
#include <algorithm>

#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr int barHeight = 14;
constexpr int markHeight = 7;

}  // namespace

void HeatGradient::setColorMap(ColorMap map) {
    m_map = map;
    update();
}

void HeatGradient::setCut(std::optional<std::pair<double, double>> cut) {
    m_cut = cut;
    update();
}

QSize HeatGradient::sizeHint() const { return {200, barHeight + 2 * markHeight}; }
QSize HeatGradient::minimumSizeHint() const { return {80, barHeight + 2 * markHeight}; }

void HeatGradient::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Colors& c = colors(palette());
    const bool isMirrored = layoutDirection() == Qt::RightToLeft;
    const QRect bar(markHeight, (height() - barHeight) / 2, width() - 2 * markHeight, barHeight);
    const auto placeOf = [&](double fraction) {
        const double share = std::clamp(isMirrored ? 1 - fraction : fraction, 0.0, 1.0);
        return bar.left() + share * (bar.width() - 1);
    };
    QLinearGradient gradient(placeOf(0), 0, placeOf(1), 0);
    const ColorStops& stops = stopsOf(m_map, c);
    for (std::size_t i = 0; i < stops.size(); ++i)
        gradient.setColorAt(static_cast<double>(i) / static_cast<double>(stops.size() - 1),
                            stops[i]);
    painter.fillRect(bar, gradient);
    painter.setPen(c.border);
    painter.drawRect(bar.adjusted(0, 0, -1, -1));
    if (!m_cut) return;
    painter.setRenderHint(QPainter::Antialiasing);
    const double from = placeOf(m_cut->first);
    const double to = placeOf(m_cut->second);
    const double below = bar.bottom() + 2;
    painter.setPen(QPen(c.text, 2));
    painter.drawLine(QPointF(from, below), QPointF(to, below));
    painter.setPen(Qt::NoPen);
    painter.setBrush(c.text);
    for (const double at : {from, to}) {
        painter.drawPolygon(QPolygonF({{at, below - 2}, {at - 5, below + 5}, {at + 5, below + 5}}));
        painter.fillRect(QRectF(at - 2, bar.top(), 4, bar.height()), c.surface);
        painter.fillRect(QRectF(at - 1, bar.top(), 2, bar.height()), c.text);
    }
}

}  // namespace espalier::ui
