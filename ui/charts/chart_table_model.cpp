#include "ui/charts/chart_table_model.h"

#include <QLocale>
#include <cmath>
#include <utility>

namespace espalier::ui {
namespace {

/// In quotes if it would else be taken for more than one cell.
QByteArray quoted(QString text, char separator) {
    const bool needsQuotes = text.contains(QLatin1Char(separator)) ||
                             text.contains(QLatin1Char('"')) || text.contains(QLatin1Char('\n'));
    if (!needsQuotes) return text.toUtf8();
    return '"' + text.replace(QLatin1Char('"'), QStringLiteral("\"\"")).toUtf8() + '"';
}

QByteArray numberText(double value) {
    return std::isnan(value) ? QByteArray()
                             : QByteArray::number(value, 'g', QLocale::FloatingPointShortest);
}

QByteArray toText(const ChartTable& table, char separator) {
    QByteArrayList header;
    for (const QString& name : table.headers) header.append(quoted(name, separator));
    QByteArray text = header.join(separator) + '\n';
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        QByteArrayList cells;
        if (!table.names.isEmpty())
            cells.append(quoted(table.names.value(static_cast<qsizetype>(row)), separator));
        for (const double value : table.rows[row]) cells.append(numberText(value));
        text += cells.join(separator) + '\n';
    }
    return text;
}

}  // namespace

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
    const bool isName = index.column() == 0 && !m_table.names.isEmpty();
    if (role == Qt::TextAlignmentRole)
        return QVariant((isName ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    if (isName) return m_table.names.value(index.row());
    const auto row = static_cast<std::size_t>(index.row());
    const auto column =
        static_cast<std::size_t>(index.column()) - (m_table.names.isEmpty() ? 0 : 1);
    const double value = m_table.rows[row][column];
    if (std::isnan(value)) return QStringLiteral("–");
    const bool isWhole = value == std::floor(value) && std::abs(value) < 1e15;
    return isWhole ? QLocale().toString(static_cast<qlonglong>(value))
                   : QLocale().toString(value, 'g', 4);
}

QVariant ChartTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    return m_table.headers.value(section);
}

QByteArray toCsv(const ChartTable& table) { return toText(table, ','); }
QByteArray toTsv(const ChartTable& table) { return toText(table, '\t'); }

}  // namespace espalier::ui
