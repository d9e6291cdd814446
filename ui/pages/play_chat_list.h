#pragma once

#include <QWidget>
#include <optional>

#include "store/library.h"
#include "ui/bridge/services.h"

class QListView;

namespace espalier::ui {

class ChatsModel;
class PushButton;

/// The chats of the library.
class PlayChatList : public QWidget {
    Q_OBJECT

public:
    explicit PlayChatList(const Services& services, QWidget* parent = nullptr);

    void refresh();
    /// Stores it; its id comes through saved() with the same session number.
    void save(const ChatRecord& chat, quint64 session);
    void setCurrent(std::int64_t id);

Q_SIGNALS:
    void newRequested();
    void chatOpened(const espalier::ChatRecord& chat);
    void chatRemoved(qint64 id);
    void saved(qint64 id, quint64 session);
    void failed(const QString& code, const QString& message, const QString& hint);

private:
    void openCurrent();
    void removeCurrent();

    Services m_services;
    ChatsModel* m_chats;
    QListView* m_view;
    PushButton* m_remove;
    std::int64_t m_current = 0;
};

}  // namespace espalier::ui
