#pragma once

#include <QPlainTextEdit>

namespace espalier::ui {

/// Grows to eight lines; Enter submits, Shift+Enter begins a line.
class MessageInput : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit MessageInput(const QString& name, QWidget* parent = nullptr);

Q_SIGNALS:
    void submitted();

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void fitHeight();
};

}  // namespace espalier::ui
