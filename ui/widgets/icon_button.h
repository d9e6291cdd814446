#pragma once

#include <QToolButton>

namespace espalier::ui {

/// A button with an icon alone: its text is tooltip and accessible name. Re-tints with the theme.
class IconButton : public QToolButton {
    Q_OBJECT

public:
    IconButton(const QString& objectName, const QString& icon, const QString& text,
               QWidget* parent = nullptr);

protected:
    void changeEvent(QEvent* event) override;

private:
    QString m_iconName;
};

}  // namespace espalier::ui
