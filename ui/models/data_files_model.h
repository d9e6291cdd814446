#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "data/dataset.h"

namespace espalier::ui {

/// The user's texts with their task labels and weights, both editable.
class DataFilesModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { File, Task, Weight, Size, ColumnCount };

    using QAbstractTableModel::QAbstractTableModel;

    void setSources(std::vector<DataSource> sources);
    const std::vector<DataSource>& sources() const { return m_sources; }
    /// The label starts as the file's name; a file that is there already is not added twice.
    void addFile(const QString& path);
    void removeFile(int row);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

Q_SIGNALS:
    void sourcesChanged();

private:
    QVariant text(const DataSource& source, int column, bool forEditing) const;
    static qint64 sizeOf(const DataSource& source);

    std::vector<DataSource> m_sources;
    std::vector<qint64> m_bytes;
};

}  // namespace espalier::ui
