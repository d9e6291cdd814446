#pragma once

#include <QRect>

class QPainter;
class QStyleOption;
class QStyleOptionComboBox;
class QStyleOptionSlider;
class QStyleOptionSpinBox;
class QWidget;

/// The shapes that EspalierStyle draws in place of Fusion's.
namespace espalier::ui::painting {

/// A filled box with an outline; with the focus, the outline is the 2-pixel ring.
void field(QPainter& painter, const QStyleOption& option, bool hasFocus);
void button(QPainter& painter, const QStyleOption& option, bool isPrimary);
void focusRing(QPainter& painter, const QStyleOption& option);
void checkBox(QPainter& painter, const QStyleOption& option);
void radioButton(QPainter& painter, const QStyleOption& option);
void itemFrame(QPainter& painter, const QStyleOption& option, const QWidget* widget);
enum class Arrow { Up, Down };
void arrow(QPainter& painter, const QStyleOption& option, const QRect& rect, Arrow direction);
void slider(QPainter& painter, const QStyleOptionSlider& option, const QRect& groove,
            const QRect& handle);

}  // namespace espalier::ui::painting
