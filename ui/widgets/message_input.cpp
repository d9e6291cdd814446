#include "ui/widgets/message_input.h"

#include <QEvent>
#include <QKeyEvent>
#include <algorithm>
#include <cmath>

#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr int leastLines = 2;
constexpr int mostLines = 8;

}  // namespace

MessageInput::MessageInput(const QString& name, QWidget* parent) : QPlainTextEdit(parent) {
    setObjectName(name);
    setTabChangesFocus(true);
    connect(this, &QPlainTextEdit::textChanged, this, &MessageInput::fitHeight);
    fitHeight();
}

void MessageInput::keyPressEvent(QKeyEvent* event) {
    const bool isEnter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (isEnter && !(event->modifiers() & (Qt::ShiftModifier | Qt::ControlModifier))) {
        Q_EMIT submitted();
        return;
    }
    QPlainTextEdit::keyPressEvent(event);
}

void MessageInput::fitHeight() {
    const int lines =
        std::clamp(static_cast<int>(std::ceil(document()->size().height())), leastLines, mostLines);
    setFixedHeight(lines * fontMetrics().lineSpacing() + 2 * space::controls + 2 * frameWidth());
}

void MessageInput::changeEvent(QEvent* event) {
    QPlainTextEdit::changeEvent(event);
    if (event->type() == QEvent::FontChange) fitHeight();
}

void MessageInput::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    fitHeight();
}

}  // namespace espalier::ui
