#include "ui/models/expert_table_model.h"

#include <algorithm>
#include <utility>

#include "ui/models/expert_facts.h"
#include "ui/models/format.h"
#include "ui/models/roles.h"

namespace espalier::ui {
namespace {

double ratio(double part, std::int64_t whole) {
    return whole > 0 ? part / static_cast<double>(whole) : 0.0;
}

}  // namespace

void ExpertTableModel::setData(ExpertDataPtr data, LayerScores scores, const QString& scoreName) {
    beginResetModel();
    m_data = std::move(data);
    m_scores = std::move(scores);
    m_scoreName = scoreName;
    m_layers.clear();
    std::vector<double> values;
    for (const auto& [layer, row] : m_scores) {
        m_layers.push_back(layer);
        values.insert(values.end(), row.begin(), row.end());
    }
    m_ranks = m_data ? ranksInLayers(values, static_cast<std::int32_t>(m_data->numExperts()))
                     : std::vector<std::int32_t>{};
    endResetModel();
}

void ExpertTableModel::setPlan(const PlanState& plan) {
    m_plan = plan;
    if (rowCount() > 0) Q_EMIT dataChanged(index(0, Decision), index(rowCount() - 1, Decision));
}

ExpertCell ExpertTableModel::cellAt(int row) const {
    const auto experts = static_cast<int>(m_data->numExperts());
    return {m_layers[static_cast<std::size_t>(row / experts)],
            static_cast<std::int32_t>(row % experts)};
}

int ExpertTableModel::rowOf(const ExpertCell& cell) const {
    const auto place = std::lower_bound(m_layers.begin(), m_layers.end(), cell.layer);
    if (!m_data || place == m_layers.end() || *place != cell.layer) return -1;
    return static_cast<int>(place - m_layers.begin()) * static_cast<int>(m_data->numExperts()) +
           cell.expert;
}

int ExpertTableModel::rowCount(const QModelIndex& parent) const {
    if (parent.isValid() || !m_data) return 0;
    return static_cast<int>(m_layers.size()) * static_cast<int>(m_data->numExperts());
}

int ExpertTableModel::columnCount(const QModelIndex& parent) const {
    if (parent.isValid() || !m_data) return 0;
    if (!m_data->hasStats()) return Tokens;
    return FirstTask + static_cast<int>(m_data->stats.tasks.size());
}

double ExpertTableModel::number(const ExpertCell& cell, int column) const {
    const auto e = static_cast<std::size_t>(cell.expert);
    switch (column) {
        case Layer:
            return static_cast<double>(cell.layer);
        case Expert:
            return cell.expert;
        case Decision:
            return m_plan.keeps(cell.layer, cell.expert) ? 0 : 1;
        case Score:
            return m_scores.at(cell.layer)[e];
        case Rank:
            return m_ranks[static_cast<std::size_t>(rowOf(cell))];
        default:
            break;
    }
    const LayerStats& stats = m_data->stats.layers.at(cell.layer);
    if (column == Tokens) return ratio(static_cast<double>(stats.count[e]), stats.tokens);
    if (column == Gate) return ratio(stats.gate_sum[e], stats.count[e]);
    const auto task = static_cast<std::size_t>(column - FirstTask);
    const std::size_t place = task * stats.count.size() + e;
    if (place >= stats.task_count.size()) return 0;
    return ratio(static_cast<double>(stats.task_count[place]), stats.task_tokens[task]);
}

QString ExpertTableModel::text(const ExpertCell& cell, int column) const {
    const double value = number(cell, column);
    switch (column) {
        case Layer:
        case Expert:
        case Rank:
            return format::integer(static_cast<std::int64_t>(value));
        case Decision:
            return decisionText(m_plan, cell);
        case Score:
        case Gate:
            return format::significant(value);
        default:
            return format::percent(value);
    }
}

QVariant ExpertTableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const ExpertCell cell = cellAt(index.row());
    switch (role) {
        case Qt::DisplayRole:
            return text(cell, index.column());
        case Qt::EditRole:
            return number(cell, index.column());
        case Qt::TextAlignmentRole:
            return index.column() == Decision ? QVariant()
                                              : QVariant(Qt::AlignRight | Qt::AlignVCenter);
        case IdRole:
            return QStringLiteral("L%1.E%2")
                .arg(cell.layer)
                .arg(cell.expert, 3, 10, QLatin1Char('0'));
        default:
            return {};
    }
}

QVariant ExpertTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole || !m_data) return {};
    switch (section) {
        case Layer:
            return tr("Layer");
        case Expert:
            return tr("Expert");
        case Decision:
            return tr("Decision");
        case Score:
            return m_scoreName;
        case Rank:
            return tr("Rank");
        case Tokens:
            return tr("Tokens");
        case Gate:
            return tr("Mean gate");
        default:
            break;
    }
    const auto task = static_cast<std::size_t>(section - FirstTask);
    return task < m_data->stats.tasks.size()
               ? tr("of %1").arg(QString::fromStdString(m_data->stats.tasks[task]))
               : QVariant();
}

}  // namespace espalier::ui
