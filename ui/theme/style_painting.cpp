#include "ui/theme/style_painting.h"

#include <QPainter>
#include <QPainterPath>
#include <QStyleOption>
#include <QWidget>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui::painting {
namespace {

bool isEnabled(const QStyleOption& option) { return option.state.testFlag(QStyle::State_Enabled); }
bool isOn(const QStyleOption& option) { return option.state.testFlag(QStyle::State_On); }

/// `rect` shrunk so that a pen of `width` lies inside it.
QRectF inside(const QRect& rect, double width) {
    return QRectF(rect).adjusted(width / 2, width / 2, -width / 2, -width / 2);
}

void box(QPainter& painter, const QRect& rect, const QPen& pen, const QBrush& fill, double radius) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(pen);
    painter.setBrush(fill);
    painter.drawRoundedRect(inside(rect, pen.style() == Qt::NoPen ? 0 : pen.widthF()), radius,
                            radius);
    painter.restore();
}

QColor mixed(const QColor& a, const QColor& b, double share) {
    const auto channel = [share](int x, int y) { return qRound(x * (1 - share) + y * share); };
    return {channel(a.red(), b.red()), channel(a.green(), b.green()), channel(a.blue(), b.blue())};
}

QSize square(const QRect& rect) {
    const int side = std::min(rect.width(), rect.height());
    return {side, side};
}

}  // namespace

void field(QPainter& painter, const QStyleOption& option, bool hasFocus) {
    const Colors& c = colors(option.palette);
    const QColor outline = !isEnabled(option) ? c.disabled : hasFocus ? c.accent : c.border;
    box(painter, option.rect, QPen(outline, hasFocus ? space::focusRing : 1),
        isEnabled(option) ? c.surface : c.bg, space::cornerRadius);
}

void button(QPainter& painter, const QStyleOption& option, bool isPrimary) {
    const Colors& c = colors(option.palette);
    QColor fill = isPrimary ? c.accent : c.raised;
    if (!isEnabled(option)) {
        fill = c.bg;
    } else if (option.state.testFlag(QStyle::State_Sunken) || isOn(option)) {
        fill = mixed(fill, c.text, 0.16);
    } else if (option.state.testFlag(QStyle::State_MouseOver)) {
        fill = mixed(fill, c.text, 0.08);
    }
    const QColor outline = !isEnabled(option) ? c.disabled : isPrimary ? fill : c.border;
    box(painter, option.rect, QPen(outline, 1), fill, space::cornerRadius);
    if (!option.state.testFlag(QStyle::State_HasFocus)) return;
    // Inside, in the ink of the button: on a filled one the accent would not show.
    const int inset = space::focusRing;
    box(painter, option.rect.adjusted(inset, inset, -inset, -inset),
        QPen(isPrimary ? c.onAccent : c.accent, space::focusRing), Qt::NoBrush,
        space::cornerRadius);
}

void focusRing(QPainter& painter, const QStyleOption& option) {
    const Colors& c = colors(option.palette);
    // On a selected line, which has the colour of the ring, it lies inside in the line's ink.
    const bool isSelected = option.state.testFlag(QStyle::State_Selected);
    const int inset = isSelected ? space::focusRing : 0;
    box(painter, option.rect.adjusted(inset, inset, -inset, -inset),
        QPen(isSelected ? c.onAccent : c.accent, space::focusRing), Qt::NoBrush,
        space::cornerRadius);
}

void checkBox(QPainter& painter, const QStyleOption& option) {
    const Colors& c = colors(option.palette);
    const QRect rect(option.rect.topLeft(), square(option.rect));
    const QColor outline = isEnabled(option) ? (isOn(option) ? c.accent : c.border) : c.disabled;
    box(painter, rect, QPen(outline, 1), isOn(option) ? outline : c.surface, 3);
    if (!isOn(option)) return;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(c.onAccent, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    const QRectF r(rect);
    painter.drawPolyline(QPolygonF({{r.left() + r.width() * 0.24, r.top() + r.height() * 0.54},
                                    {r.left() + r.width() * 0.43, r.top() + r.height() * 0.72},
                                    {r.left() + r.width() * 0.77, r.top() + r.height() * 0.32}}));
    painter.restore();
}

void radioButton(QPainter& painter, const QStyleOption& option) {
    const Colors& c = colors(option.palette);
    const QRect rect(option.rect.topLeft(), square(option.rect));
    const QColor outline = isEnabled(option) ? (isOn(option) ? c.accent : c.border) : c.disabled;
    box(painter, rect, QPen(outline, isOn(option) ? 5 : 1), c.surface, rect.width() / 2.0);
}

void itemFrame(QPainter& painter, const QStyleOption& option, const QWidget* widget) {
    const Colors& c = colors(option.palette);
    const bool hasFocus = widget != nullptr && widget->hasFocus();
    painter.save();
    painter.setPen(QPen(hasFocus ? c.accent : c.border, hasFocus ? space::focusRing : 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(inside(option.rect, painter.pen().widthF()));
    painter.restore();
}

void arrow(QPainter& painter, const QStyleOption& option, const QRect& rect, Arrow direction) {
    const Colors& c = colors(option.palette);
    const QPointF middle = QRectF(rect).center();
    const double half = 3.5;
    const double height = direction == Arrow::Down ? 2 : -2;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(isEnabled(option) ? c.text : c.disabled, 1.5, Qt::SolidLine, Qt::RoundCap));
    painter.drawPolyline(QPolygonF({middle + QPointF(-half, -height), middle + QPointF(0, height),
                                    middle + QPointF(half, -height)}));
    painter.restore();
}

void slider(QPainter& painter, const QStyleOptionSlider& option, const QRect& groove,
            const QRect& handle) {
    const Colors& c = colors(option.palette);
    const QColor filled = isEnabled(option) ? c.accent : c.disabled;
    QRect line(groove.left(), groove.center().y() - 1, groove.width(), 4);
    box(painter, line, Qt::NoPen, c.border, 2);
    QRect before = line;
    if (option.upsideDown) {
        before.setLeft(handle.center().x());
    } else {
        before.setRight(handle.center().x());
    }
    box(painter, before, Qt::NoPen, filled, 2);
    const bool hasFocus = option.state.testFlag(QStyle::State_HasFocus);
    const int side = std::min(handle.width(), handle.height());
    QRect knob(0, 0, side, side);
    knob.moveCenter(handle.center());
    box(painter, knob, QPen(filled, hasFocus ? 4 : 2), c.surface, side / 2.0);
}

}  // namespace espalier::ui::painting
