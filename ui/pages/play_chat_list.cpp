#include "ui/pages/play_chat_list.h"

#include <QHBoxLayout>
#include <QListView>
#include <QVBoxLayout>

#include "ui/bridge/background_worker.h"
#include "ui/models/chats_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/push_button.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

PlayChatList::PlayChatList(const Services& services, QWidget* parent)
    : QWidget(parent), m_services(services), m_chats(new ChatsModel(this)), m_view(new QListView) {
    auto* create = (new PushButton(QStringLiteral("play_chat_new_btn"), tr("&New chat")))
                       ->withIcon(QStringLiteral("add"));
    m_remove = (new PushButton(QStringLiteral("play_chat_remove_btn"), tr("Delete chat")))
                   ->withIcon(QStringLiteral("trash"));
    m_view->setObjectName(QStringLiteral("play_chat_list"));
    m_view->setAccessibleName(tr("Chats"));
    m_view->setModel(m_chats);
    m_view->setTabKeyNavigation(false);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setTextElideMode(Qt::ElideRight);
    m_view->setUniformItemSizes(true);
    connect(create, &QPushButton::clicked, this, &PlayChatList::newRequested);
    connect(m_view, &QListView::clicked, this, &PlayChatList::openCurrent);
    connect(m_view, &QListView::activated, this, &PlayChatList::openCurrent);
    connect(m_remove, &QPushButton::clicked, this, &PlayChatList::removeCurrent);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins({});
    layout->setSpacing(space::controls);
    layout->addWidget(create);
    layout->addWidget(new TextLabel(TextKind::Caption, tr("Chats stay on this computer.")));
    layout->addWidget(m_view, 1);
    layout->addWidget(m_remove);
    m_remove->setEnabled(false);
}

void PlayChatList::refresh() {
    m_services.worker.ask(
        this, "chats", [](TaskContext& context) { return context.library().chats(); },
        [this](std::vector<ChatRecord> chats) {
            m_chats->setChats(std::move(chats));
            showCurrent();
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void PlayChatList::begin(std::int64_t id) {
    m_current = id;
    m_storedAs = std::make_shared<std::int64_t>(id);
    showCurrent();
}

void PlayChatList::save(const ChatRecord& chat) {
    m_services.worker.ask(
        this, {},
        [chat, storedAs = m_storedAs](TaskContext& context) {
            ChatRecord record = chat;
            record.id = *storedAs;
            *storedAs = context.library().put_chat(record);
            return *storedAs;
        },
        [this, storedAs = m_storedAs](std::int64_t id) {
            if (storedAs == m_storedAs) m_current = id;
            refresh();
        },
        [this](const Failure& failure) { Q_EMIT failed(failure); });
}

void PlayChatList::showCurrent() {
    const int row = m_chats->rowOf(m_current);
    if (row >= 0) {
        m_view->setCurrentIndex(m_chats->index(row));
    } else {
        m_view->clearSelection();
        m_view->setCurrentIndex({});
    }
    m_remove->setEnabled(row >= 0);
}

void PlayChatList::openCurrent() {
    const QModelIndex index = m_view->currentIndex();
    if (!index.isValid()) return;
    const ChatRecord chat = m_chats->chat(index.row());
    Q_EMIT chatOpened(chat);
}

void PlayChatList::removeCurrent() {
    const std::int64_t id = m_current;
    m_services.worker.run([id](TaskContext& context) { context.library().remove_chat(id); });
    Q_EMIT currentRemoved();
    refresh();
}

}  // namespace espalier::ui
