#include "ui/widgets/conversation_view.h"

#include <QScrollBar>
#include <QVBoxLayout>

#include "ui/theme/metrics.h"
#include "ui/widgets/icon_button.h"
#include "ui/widgets/message_widget.h"

namespace espalier::ui {

ConversationView::ConversationView(const QString& name, QWidget* parent)
    : QScrollArea(parent),
      m_content(new QWidget),
      m_layout(new QVBoxLayout(m_content)),
      m_toEnd(new IconButton(name + QStringLiteral("_end_btn"), QStringLiteral("down"),
                             tr("To the end"), this)) {
    setObjectName(name);
    setAccessibleName(tr("Conversation"));
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_layout->setContentsMargins(0, 0, space::inGroup, 0);
    m_layout->setSpacing(space::controls);
    m_layout->addStretch(1);
    setWidget(m_content);
    m_toEnd->setAutoRaise(false);
    m_toEnd->hide();
    connect(m_toEnd, &QToolButton::clicked, this, [this] {
        m_follows = true;
        followEnd();
    });
    connect(verticalScrollBar(), &QScrollBar::rangeChanged, this, &ConversationView::followEnd);
    connect(verticalScrollBar(), &QScrollBar::valueChanged, this, [this](int value) {
        m_follows = value >= verticalScrollBar()->maximum() - space::groups;
        m_toEnd->setVisible(!m_follows);
    });
}

MessageWidget* ConversationView::addMessage(MessageSide side, const QString& text) {
    auto* message = new MessageWidget(side, static_cast<int>(m_messages.size()) + 1);
    message->setText(text);
    m_messages.append(message);
    m_layout->insertWidget(m_layout->count() - 1, message);
    m_follows = true;
    return message;
}

void ConversationView::removeLast() {
    if (m_messages.isEmpty()) return;
    delete m_messages.takeLast();
}

void ConversationView::clear() {
    while (!m_messages.isEmpty()) removeLast();
}

void ConversationView::followEnd() {
    if (m_follows) verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    placeButton();
}

void ConversationView::resizeEvent(QResizeEvent* event) {
    QScrollArea::resizeEvent(event);
    placeButton();
}

void ConversationView::placeButton() {
    const QSize size = m_toEnd->sizeHint();
    m_toEnd->setGeometry((width() - size.width()) / 2, height() - size.height() - space::controls,
                         size.width(), size.height());
    m_toEnd->raise();
}

}  // namespace espalier::ui
