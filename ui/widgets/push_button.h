#pragma once

#include <QPushButton>

namespace espalier::ui {

/// A named push button. Icons re-tint with the theme.
class PushButton : public QPushButton {
    Q_OBJECT

public:
    PushButton(const QString& objectName, const QString& text, QWidget* parent = nullptr);

    PushButton* withIcon(const QString& icon);
    /// Filled with the accent colour: the main action of its page.
    PushButton* asPrimary();

protected:
    /// Enter presses it too, as Space does.
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void tint();

    QString m_iconName;
    bool m_isPrimary = false;
};

}  // namespace espalier::ui
