#include "ui/widgets/card.h"

#include <QPainter>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {

Card::Card(QWidget* parent) : QFrame(parent) {
    setContentsMargins(space::groups, space::groups, space::groups, space::groups);
}

void Card::paintEvent(QPaintEvent*) {
    const Colors& c = colors(palette());
    QColor outline = c.border;
    outline.setAlphaF(0.35F);  // decoration, not a control
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(outline, 1));
    painter.setBrush(c.surface);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), space::cornerRadius,
                            space::cornerRadius);
}

}  // namespace espalier::ui
