#include "ui/pages/play_completion.h"

#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QVBoxLayout>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

PlayCompletion::PlayCompletion(QWidget* parent)
    : QWidget(parent), m_text(new QPlainTextEdit), m_figures(new TextLabel(TextKind::Caption)) {
    m_text->setObjectName(QStringLiteral("play_completion_text"));
    m_text->setAccessibleName(tr("Text to continue"));
    m_text->setPlaceholderText(
        tr("Write the beginning of a text: the model continues it as it stands."));
    m_text->setTabChangesFocus(true);
    setFocusProxy(m_text);
    m_continue =
        (new PushButton(QStringLiteral("play_completion_btn"), tr("Contin&ue")))->asPrimary();
    m_stop = (new PushButton(QStringLiteral("play_completion_stop_btn"), tr("Stop")))
                 ->withIcon(QStringLiteral("stop"));
    m_stop->setAccessibleName(tr("Stop the completion"));
    m_stop->hide();
    connect(m_continue, &QPushButton::clicked, this, &PlayCompletion::continueRequested);
    connect(m_stop, &QPushButton::clicked, this, &PlayCompletion::stopRequested);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_figures, 1);
    buttons->addWidget(m_continue);
    buttons->addWidget(m_stop);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, space::controls, 0, 0);
    layout->addWidget(m_text, 1);
    layout->addLayout(buttons);
}

QString PlayCompletion::text() const { return m_text->toPlainText(); }

void PlayCompletion::append(const QString& piece) {
    QTextCursor cursor(m_text->document());
    cursor.movePosition(QTextCursor::End);
    QTextCharFormat format;
    format.setForeground(colors(palette()).accent);
    cursor.insertText(piece, format);
    m_text->verticalScrollBar()->setValue(m_text->verticalScrollBar()->maximum());
}

void PlayCompletion::setFigures(const QString& figures) { m_figures->setText(figures); }

void PlayCompletion::setBusy(bool isBusy) {
    m_text->setReadOnly(isBusy);
    PushButton* shown = isBusy ? m_stop : m_continue;
    PushButton* hidden = isBusy ? m_continue : m_stop;
    const bool hadFocus = hidden->hasFocus();
    shown->show();
    if (hadFocus) shown->setFocus(Qt::OtherFocusReason);  // else it would go to the next pane
    hidden->hide();
}

void PlayCompletion::setCanContinue(bool can) { m_continue->setEnabled(can); }

}  // namespace espalier::ui
