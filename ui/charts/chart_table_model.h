#pragma once

#include <QAbstractTableModel>
#include <QStringList>
#include <vector>

namespace espalier::ui {

/// The figures behind a chart: what its table view shows and its export writes.
struct ChartTable {
    QStringList headers;
    std::vector<std::vector<double>> rows;  ///< NaN = none
    QStringList names = {};  ///< of the rows, as a first column; empty = there is none
    bool operator==(const ChartTable&) const = default;
};

class ChartTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    using QAbstractTableModel::QAbstractTableModel;

    void setTable(ChartTable table);
    const ChartTable& table() const { return m_table; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    ChartTable m_table;
};

/// Full precision, for other programs.
QByteArray toCsv(const ChartTable& table);
QByteArray toTsv(const ChartTable& table);

}  // namespace espalier::ui
