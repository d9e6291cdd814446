#include "ui/models/chats_model.h"

#include <QDateTime>
#include <QFileInfo>
#include <QLocale>
#include <algorithm>
#include <utility>

#include "ui/models/roles.h"

namespace espalier::ui {

void ChatsModel::setChats(std::vector<ChatRecord> chats) {
    beginResetModel();
    m_chats = std::move(chats);
    endResetModel();
}

int ChatsModel::rowOf(std::int64_t id) const {
    const auto found = std::find_if(m_chats.begin(), m_chats.end(),
                                    [id](const auto& chat) { return chat.id == id; });
    return found == m_chats.end() ? -1 : static_cast<int>(found - m_chats.begin());
}

int ChatsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_chats.size());
}

QVariant ChatsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const ChatRecord& record = chat(index.row());
    switch (role) {
        case Qt::DisplayRole:
            return QString::fromStdString(record.title);
        case Qt::ToolTipRole: {
            const QDateTime changed = QDateTime::fromSecsSinceEpoch(record.changed_unix);
            return tr("%1, %2").arg(QFileInfo(QString::fromStdString(record.model)).fileName(),
                                    QLocale().toString(changed, QLocale::ShortFormat));
        }
        case IdRole:
            return QStringLiteral("chat:%1").arg(record.id);
        default:
            return {};
    }
}

}  // namespace espalier::ui
