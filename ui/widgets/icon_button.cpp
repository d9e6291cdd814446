#include "ui/widgets/icon_button.h"

#include <QEvent>

#include "ui/theme/icons.h"

namespace espalier::ui {

IconButton::IconButton(const QString& objectName, const QString& icon, const QString& text,
                       QWidget* parent)
    : QToolButton(parent), m_iconName(icon) {
    setObjectName(objectName);
    setToolTip(text);
    setAccessibleName(text);
    setFocusPolicy(Qt::StrongFocus);
    setAutoRaise(true);
    setIcon(themedIcon(m_iconName, palette()));
}

void IconButton::changeEvent(QEvent* event) {
    QToolButton::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) setIcon(themedIcon(m_iconName, palette()));
}

}  // namespace espalier::ui
