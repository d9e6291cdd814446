#pragma once

#include <QAbstractTableModel>
#include <QStringList>
#include <vector>

#include "routing/expert_stats.h"

namespace espalier::ui {

/// The tokens that an expert got the largest gates for, with the text around them. It is the
/// user's data: the text shows only when asked for.
class ContextsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Text, Gate, Task, ColumnCount };
    enum Role {
        BeforeRole = Qt::UserRole + 2,  ///< texts for a delegate that marks the token
        TokenRole,
        AfterRole
    };

    using QAbstractTableModel::QAbstractTableModel;

    void setContexts(std::vector<TopContext> contexts, QStringList tasks);
    bool showsText() const { return m_showsText; }
    void setShowsText(bool shows);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString text(const TopContext& context) const;
    QString place(const TopContext& context) const;

    std::vector<TopContext> m_contexts;
    QStringList m_tasks;
    bool m_showsText = false;
};

}  // namespace espalier::ui
