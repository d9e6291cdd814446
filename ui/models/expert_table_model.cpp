#include "ui/models/expert_table_model.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "ui/models/roles.h"

namespace espalier::ui {

void ExpertTableModel::setExperts(const ExpertMatrix& matrix, std::vector<ExpertColumn> columns) {
    beginResetModel();
    m_layers = matrix.layers;
    m_numExperts = matrix.numExperts;
    m_marks = matrix.marks;
    m_columns = std::move(columns);
    endResetModel();
}

void ExpertTableModel::updateStates(ExpertMarks marks) {
    if (marks == m_marks) return;
    m_marks = std::move(marks);
    if (rowCount() == 0) return;
    Q_EMIT dataChanged(index(0, State), index(rowCount() - 1, State));
}

ExpertCell ExpertTableModel::cellAt(int row) const {
    return {m_layers[static_cast<std::size_t>(row / m_numExperts)], row % m_numExperts};
}

QModelIndex ExpertTableModel::indexOf(const ExpertCell& cell) const {
    const auto layer = std::find(m_layers.begin(), m_layers.end(), cell.layer);
    if (layer == m_layers.end() || cell.expert < 0 || cell.expert >= m_numExperts) return {};
    return index(static_cast<int>(layer - m_layers.begin()) * m_numExperts + cell.expert, 0);
}

int ExpertTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_layers.size()) * m_numExperts;
}

int ExpertTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : NumFixed + static_cast<int>(m_columns.size());
}

QVariant ExpertTableModel::number(std::size_t row, int column) const {
    const ExpertCell cell = cellAt(static_cast<int>(row));
    switch (column) {
        case Layer:
            return static_cast<qlonglong>(cell.layer);
        case Expert:
            return cell.expert;
        case State:
            return m_marks.textOf(row);
        default:
            break;
    }
    const double value = m_columns[static_cast<std::size_t>(column - NumFixed)].values[row];
    // No number at all sorts below every number.
    return std::isnan(value) ? QVariant() : QVariant(value);
}

QString ExpertTableModel::text(std::size_t row, int column) const {
    const QVariant value = number(row, column);
    if (column == State) return value.toString();
    if (!value.isValid()) return QStringLiteral("–");
    if (column < NumFixed) return value.toString();
    const double shown = value.toDouble();
    const bool isWhole = shown == std::floor(shown) && std::abs(shown) < 1e15;
    return isWhole ? QLocale().toString(static_cast<qlonglong>(shown))
                   : QLocale().toString(shown, 'g', 4);
}

QVariant ExpertTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const auto row = static_cast<std::size_t>(index.row());
    switch (role) {
        case Qt::DisplayRole:
            return text(row, index.column());
        case Qt::AccessibleTextRole: {  // an empty cell has no name
            const QString shown = text(row, index.column());
            if (!shown.isEmpty()) return shown;
            return index.column() == State ? tr("kept") : tr("not known");
        }
        case Qt::EditRole:
            return number(row, index.column());
        case Qt::TextAlignmentRole:
            return QVariant((index.column() == State ? Qt::AlignLeft : Qt::AlignRight) |
                            Qt::AlignVCenter);
        case IdRole:
            return cellId(cellAt(index.row()));
        default:
            return {};
    }
}

QVariant ExpertTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
    if (role == Qt::ToolTipRole && section >= NumFixed)
        return m_columns[static_cast<std::size_t>(section - NumFixed)].tip;
    if (role == Qt::TextAlignmentRole)
        return QVariant((section == State ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case Layer:
            return tr("Layer");
        case Expert:
            return tr("Expert");
        case State:
            return tr("State");
        default:
            return m_columns[static_cast<std::size_t>(section - NumFixed)].header;
    }
}

}  // namespace espalier::ui
