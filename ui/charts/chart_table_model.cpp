#include "ui/charts/chart_table_model.h"

#include <QLocale>
#include <cmath>
#include <utility>

namespace espalier::ui {

void ChartTableModel::setTable(ChartTable table) {
    beginResetModel();
    m_table = std::move(table);
    endResetModel();
}

int ChartTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_table.rows.size());
}

int ChartTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_table.headers.size());
}

QVariant ChartTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    if (role == Qt::TextAlignmentRole) return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    const double value =
        m_table
            .rows[static_cast<std::size_t>(index.row())][static_cast<std::size_t>(index.column())];
    const bool isWhole = value == std::floor(value) && std::abs(value) < 1e15;
    return isWhole ? QLocale().toString(static_cast<qlonglong>(value))
                   : QLocale().toString(value, 'g', 4);
}

QVariant ChartTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    return m_table.headers.value(section);
}

QByteArray toCsv(const ChartTable& table) {
    QByteArray csv = table.headers.join(QLatin1Char(',')).toUtf8() + '\n';
    for (const auto& row : table.rows) {
        QByteArrayList cells;
        for (const double value : row) {
            cells.append(QByteArray::number(value, 'g', QLocale::FloatingPointShortest));
        }
        csv += cells.join(',') + '\n';
    }
    return csv;
}

}  // namespace espalier::ui
