#pragma once

#include <QWidget>
#include <cstdint>
#include <memory>

#include "store/library.h"
#include "ui/bridge/failure.h"
#include "ui/bridge/services.h"

class QListView;

namespace espalier::ui {

class ChatsModel;
class PushButton;

/// The chats of the library, and where the one that is being held is stored.
class PlayChatList : public QWidget {
    Q_OBJECT

public:
    explicit PlayChatList(const Services& services, QWidget* parent = nullptr);

    void refresh();
    /// From here on save() means this chat; 0 = a new one.
    void begin(std::int64_t id);
    /// Stores the chat under its id, which the library gives a new one the first time.
    void save(const ChatRecord& chat);

Q_SIGNALS:
    void newRequested();
    void chatOpened(const espalier::ChatRecord& chat);
    void currentRemoved();
    void failed(const espalier::ui::Failure& failure);

private:
    void showCurrent();
    void openCurrent();
    void removeCurrent();

    Services m_services;
    ChatsModel* m_chats;
    QListView* m_view;
    PushButton* m_remove;
    std::int64_t m_current = 0;  ///< 0 until the library has given one
    /// The same, for the worker: each save finds there what the one before it was given. One for
    /// each chat, so that a late save of another chat finds its own.
    std::shared_ptr<std::int64_t> m_storedAs = std::make_shared<std::int64_t>(0);
};

}  // namespace espalier::ui
