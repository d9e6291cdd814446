#pragma once

#include <QAbstractItemModel>
#include <QHash>
#include <QSet>
#include <memory>
#include <optional>
#include <vector>

#include "ui/bridge/fit.h"
#include "ui/bridge/machine_info.h"
#include "ui/bridge/model_entry.h"

namespace espalier::ui {

/// The models of this computer, each below the one that it was made from.
class LibraryModel : public QAbstractItemModel {
    Q_OBJECT

public:
    enum Column { Name, Parameters, Experts, Format, Size, Fits, From, Used, ColumnCount };
    /// IsDimRole: it cannot be compressed, and a cell says why.
    enum Role { IsDimRole = Qt::UserRole + 2 };

    explicit LibraryModel(QObject* parent = nullptr);
    ~LibraryModel() override;

    /// Adds rows and changes those that are there; then groups all anew.
    void put(const std::vector<ModelEntry>& entries);
    /// Takes away every other row.
    void keepOnly(const QSet<QString>& paths);
    /// What "fits" is measured against.
    void setMachine(const MachineInfo& machine);
    void setContext(qint64 tokens);
    qint64 contextTokens() const { return m_tokens; }

    const ModelEntry& entry(const QModelIndex& index) const;
    /// Nothing while its headers have not been read.
    std::optional<FitSum> fit(const QModelIndex& index) const;
    /// The row of that path, invalid if there is none.
    QModelIndex find(const QString& path) const;
    /// How many rows there are, children counted.
    int count() const { return static_cast<int>(m_nodes.size()); }

    QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    QModelIndex parent(const QModelIndex& child) const override;
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    /// File URLs, for other programs.
    QMimeData* mimeData(const QModelIndexList& indexes) const override;
    QStringList mimeTypes() const override;
    Qt::DropActions supportedDragActions() const override { return Qt::CopyAction; }

Q_SIGNALS:
    /// A row has become one with children.
    void gotChildren(const QModelIndex& parent);

private:
    struct Node;

    Node* nodeOf(const QModelIndex& index) const;
    QModelIndex indexOf(const Node* node, int column = 0) const;
    void putOne(const ModelEntry& entry);
    void group();
    Node* originOf(const Node& node) const;
    void moveBelow(Node& node, Node& parent);
    void remove(Node& node);
    void updateFits();
    QVariant sortKey(const Node& node, int column) const;

    std::unique_ptr<Node> m_root;
    QHash<QString, Node*> m_nodes;  ///< by path
    MachineInfo m_machine;
    qint64 m_tokens = 4096;
};

}  // namespace espalier::ui
