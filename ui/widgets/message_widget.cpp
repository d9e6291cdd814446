#include "ui/widgets/message_widget.h"

#include <QAbstractTextDocumentLayout>
#include <QClipboard>
#include <QDesktopServices>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextCursor>
#include <QUrl>
#include <QVBoxLayout>
#include <QWheelEvent>
#include <cmath>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/icon_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {
namespace {

bool looksLikeMarkdown(const QString& text) {
    return text.contains(QLatin1String("```")) || text.contains(QLatin1String("**"));
}

QString nameOf(MessageSide side) {
    switch (side) {
        case MessageSide::You:
            return MessageWidget::tr("You");
        case MessageSide::Instruction:
            return MessageWidget::tr("Instruction");
        case MessageSide::Model:
            break;
    }
    return MessageWidget::tr("Model");
}

}  // namespace

MessageText::MessageText(QWidget* parent) : QTextBrowser(parent) {
    setFrameShape(QFrame::NoFrame);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAsNeeded);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setOpenLinks(false);
    document()->setDocumentMargin(0);
    viewport()->setAutoFillBackground(false);
    connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
            &MessageText::fitHeight);
    connect(this, &QTextBrowser::anchorClicked, this, [this](const QUrl& url) {
        auto* question = new QMessageBox(
            QMessageBox::Question, tr("Open link"),
            tr("The model wrote this address. Open it in the browser?\n%1").arg(url.toString()),
            QMessageBox::Open | QMessageBox::Cancel, this);
        question->setAttribute(Qt::WA_DeleteOnClose);
        question->setDefaultButton(QMessageBox::Cancel);
        connect(question, &QMessageBox::finished, this, [url](int answer) {
            if (answer == QMessageBox::Open) QDesktopServices::openUrl(url);
        });
        question->open();
    });
}

QVariant MessageText::loadResource(int, const QUrl&) { return {}; }

void MessageText::resizeEvent(QResizeEvent* event) {
    QTextBrowser::resizeEvent(event);
    fitHeight();
}

void MessageText::wheelEvent(QWheelEvent* event) { event->ignore(); }

void MessageText::fitHeight() {
    const int bar = horizontalScrollBar()->isVisible() ? horizontalScrollBar()->height() : 0;
    setFixedHeight(static_cast<int>(std::ceil(document()->size().height())) + bar + 2);
}

MessageWidget::MessageWidget(MessageSide side, int number, QWidget* parent)
    : QFrame(parent), m_side(side) {
    buildLayout(number);
}

void MessageWidget::buildLayout(int number) {
    setObjectName(QStringLiteral("play_message_%1").arg(number));
    m_who = new TextLabel(TextKind::Caption, nameOf(m_side));
    m_text = new MessageText;
    m_text->setObjectName(QStringLiteral("play_message_%1_text").arg(number));
    m_text->setAccessibleName(m_side == MessageSide::Model ? tr("Answer %1").arg(number)
                                                           : tr("Message %1").arg(number));
    m_figures = new TextLabel(TextKind::Caption);
    m_copy = new IconButton(QStringLiteral("play_message_%1_copy_btn").arg(number),
                            QStringLiteral("copy"), tr("Copy message %1").arg(number));
    connect(m_copy, &QToolButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(m_source); });
    m_raw = new QToolButton;
    m_raw->setObjectName(QStringLiteral("play_message_%1_raw_btn").arg(number));
    m_raw->setText(tr("Raw"));
    m_raw->setToolTip(tr("Show the text as the model wrote it"));
    m_raw->setAccessibleName(tr("Raw text of message %1").arg(number));
    m_raw->setCheckable(true);
    m_raw->hide();
    connect(m_raw, &QToolButton::toggled, this, &MessageWidget::setRaw);
    auto* top = new QHBoxLayout;
    top->addWidget(m_who, 1);
    top->addWidget(m_raw);
    top->addWidget(m_copy);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::groups, space::controls, space::controls, space::controls);
    layout->setSpacing(space::inGroup);
    layout->addLayout(top);
    layout->addWidget(m_text);
    layout->addWidget(m_figures);
    m_figures->hide();
}

void MessageWidget::setText(const QString& text) {
    m_source = text;
    render();
}

void MessageWidget::appendText(const QString& text) {
    m_source += text;
    QTextCursor cursor(m_text->document());
    cursor.movePosition(QTextCursor::End);
    cursor.insertText(text);
}

void MessageWidget::finish(const QString& figures) {
    m_figures->setText(figures);
    m_figures->setVisible(!figures.isEmpty());
    const bool isMarkdown = m_side == MessageSide::Model && looksLikeMarkdown(m_source);
    m_raw->setVisible(isMarkdown);
    setRaw(!isMarkdown);
}

void MessageWidget::setRaw(bool isRaw) {
    m_isRaw = isRaw;
    m_raw->setChecked(isRaw);
    render();
}

void MessageWidget::render() {
    if (m_isRaw) {
        m_text->setPlainText(m_source);
    } else {
        m_text->document()->setMarkdown(
            m_source, QTextDocument::MarkdownFeatures(QTextDocument::MarkdownDialectGitHub |
                                                      QTextDocument::MarkdownNoHTML));
    }
}

void MessageWidget::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && !m_isRaw) render();
}

void MessageWidget::paintEvent(QPaintEvent*) {
    const Colors& c = colors(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(m_side == MessageSide::Model ? c.surface : c.raised);
    painter.drawRoundedRect(rect(), space::cornerRadius, space::cornerRadius);
    if (m_side != MessageSide::Model) return;
    painter.setBrush(c.accent);
    painter.drawRect(QRect(0, 0, 3, height()));
}

}  // namespace espalier::ui
