#pragma once

#include <QLabel>

namespace espalier::ui {

enum class TextKind { Body, Secondary, Caption, Heading, Title, Fixed };

/// A label in one of the theme's type sizes; follows changes of font and palette.
class TextLabel : public QLabel {
    Q_OBJECT

public:
    explicit TextLabel(TextKind kind, const QString& text = {}, QWidget* parent = nullptr);

    /// One line that takes what room there is. What does not fit gives way to an ellipsis in the
    /// middle and shows in the tooltip.
    TextLabel* asElided();

protected:
    bool event(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void applyTheme();
    void showTip(bool isCut);

    TextKind m_kind;
    bool m_isApplying = false;
    bool m_isElided = false;
    bool m_hasOwnTip = false;  ///< set here, because the text is cut
};

}  // namespace espalier::ui
