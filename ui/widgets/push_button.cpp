#include "ui/widgets/push_button.h"

#include <QEvent>
#include <QKeyEvent>

#include "ui/theme/colors.h"
#include "ui/theme/icons.h"

namespace espalier::ui {

PushButton::PushButton(const QString& objectName, const QString& text, QWidget* parent)
    : QPushButton(text, parent) {
    setObjectName(objectName);
    QString plain = text;
    setAccessibleName(plain.remove(QLatin1Char('&')));
    setAutoDefault(false);
}

PushButton* PushButton::withIcon(const QString& icon) {
    m_iconName = icon;
    tint();
    return this;
}

PushButton* PushButton::asPrimary() {
    m_isPrimary = true;
    setProperty("primary", true);
    tint();
    return this;
}

void PushButton::tint() {
    if (m_iconName.isEmpty() || m_isPrimary) return;
    setIcon(themedIcon(m_iconName, palette()));
}

void PushButton::keyPressEvent(QKeyEvent* event) {
    const bool isEnter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (isEnter && !(event->modifiers() & Qt::ControlModifier)) {
        click();
    } else {
        QPushButton::keyPressEvent(event);
    }
}

void PushButton::changeEvent(QEvent* event) {
    QPushButton::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) tint();
}

}  // namespace espalier::ui
