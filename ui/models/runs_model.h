#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "ui/bridge/run_summary.h"

namespace espalier::ui {

/// The runs of the library, newest first.
class RunsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Name, Model, State, Result, Started, Took, ColumnCount };

    using QAbstractTableModel::QAbstractTableModel;

    /// Keeps the selection: rows that stay keep their indexes.
    void setRuns(std::vector<RunSummary> runs);
    const RunSummary& run(int row) const { return m_runs[static_cast<std::size_t>(row)]; }
    int rowOf(const QString& path) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString text(const RunSummary& run, int column) const;
    QString timeTaken(const RunSummary& run) const;

    std::vector<RunSummary> m_runs;
};

}  // namespace espalier::ui
