#include "ui/models/related_experts_model.h"

#include <QLocale>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {

void RelatedExpertsModel::setExperts(std::vector<RelatedExpert> experts) {
    std::stable_sort(experts.begin(), experts.end(),
                     [](const auto& a, const auto& b) { return a.strength > b.strength; });
    if (experts == m_experts) return;
    beginResetModel();
    m_experts = std::move(experts);
    endResetModel();
}

int RelatedExpertsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_experts.size());
}

int RelatedExpertsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant RelatedExpertsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const RelatedExpert& row = expert(index.row());
    const bool isExpert = index.column() == Expert;
    switch (role) {
        case Qt::DisplayRole:
            if (isExpert) return QString::number(row.cell.expert);
            return m_measure == Measure::TokenShare ? format::percent(row.strength)
                                                    : QLocale().toString(row.strength, 'f', 2);
        case Qt::EditRole:
            return isExpert ? QVariant(row.cell.expert) : QVariant(row.strength);
        case Qt::AccessibleTextRole:
            if (isExpert) return tr("layer %1, expert %2").arg(row.cell.layer).arg(row.cell.expert);
            return {};
        case Qt::TextAlignmentRole:
            return QVariant(Qt::AlignRight | Qt::AlignVCenter);
        case IdRole:
            return cellId(row.cell);
        default:
            return {};
    }
}

QVariant RelatedExpertsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    const bool isShare = m_measure == Measure::TokenShare;
    if (role == Qt::ToolTipRole && section == Strength)
        return isShare ? tr("Share of this expert's tokens that chose the other one too")
                       : tr("Cosine of both experts' mean outputs; 1 = the same direction");
    if (role == Qt::TextAlignmentRole) return QVariant(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    if (section == Expert) return tr("Expert");
    return isShare ? tr("Tokens in common") : tr("Likeness");
}

}  // namespace espalier::ui
