#pragma once

#include <QLabel>

namespace espalier::ui {

enum class TextKind { Body, Secondary, Caption, Heading, Title, Fixed };

/// A label in one of the theme's type sizes; follows changes of font and palette.
class TextLabel : public QLabel {
    Q_OBJECT

public:
    explicit TextLabel(TextKind kind, const QString& text = {}, QWidget* parent = nullptr);

protected:
    void changeEvent(QEvent* event) override;

private:
    void applyTheme();

    TextKind m_kind;
    bool m_isApplying = false;
};

}  // namespace espalier::ui
