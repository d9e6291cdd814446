#pragma once

#include <QFrame>

class QHBoxLayout;
class QLabel;

namespace espalier::ui {

class IconButton;
enum class BannerKind { Info, Ok, Warn, Error };

/// A message at the top of the view that it concerns: what, why, what to do, and a code to search
/// for.
class Banner : public QFrame {
    Q_OBJECT

public:
    /// @param name object name, such as `wiz_model_banner`; hidden until shown
    explicit Banner(const QString& name, QWidget* parent = nullptr);

    void showMessage(BannerKind kind, const QString& text, const QString& code = {});
    void showError(const QString& code, const QString& message, const QString& hint);
    void dismiss();
    /// Adds a button that shows with the banner and emits its own clicked().
    void addButton(QWidget* button);
    QString text() const;

    /// As tall as its text is at this width. Layouts are not told that height follows width: they
    /// would ask everything beside it for its preferred height, and pages would scroll.
    bool hasHeightForWidth() const override { return false; }
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void changeEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    int heightOfText() const;
    void applyTheme();

    BannerKind m_kind = BannerKind::Info;
    QLabel* m_icon;
    QLabel* m_text;
    QLabel* m_code;
    IconButton* m_copy;
    QHBoxLayout* m_buttons;
};

}  // namespace espalier::ui
