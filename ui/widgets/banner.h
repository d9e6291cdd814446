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

protected:
    void changeEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void applyTheme();

    BannerKind m_kind = BannerKind::Info;
    QLabel* m_icon;
    QLabel* m_text;
    QLabel* m_code;
    IconButton* m_copy;
    QHBoxLayout* m_buttons;
};

}  // namespace espalier::ui
