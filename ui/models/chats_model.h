#pragma once

#include <QAbstractListModel>
#include <vector>

#include "store/library.h"

namespace espalier::ui {

/// The chats of the library, last changed first.
class ChatsModel : public QAbstractListModel {
    Q_OBJECT

public:
    using QAbstractListModel::QAbstractListModel;

    void setChats(std::vector<ChatRecord> chats);
    const ChatRecord& chat(int row) const { return m_chats[static_cast<std::size_t>(row)]; }
    int rowOf(std::int64_t id) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

private:
    std::vector<ChatRecord> m_chats;
};

}  // namespace espalier::ui
