#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"
#include "ui/models/expert_matrix.h"

namespace espalier::ui {

/// Every expert of every layer, a row each, with what is known of it. Sort by Qt::EditRole.
class ExpertTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    /// Then one column a task.
    enum Column { Layer, Expert, Decision, Score, Rank, Tokens, Gate, FirstTask };

    using QAbstractTableModel::QAbstractTableModel;

    void setData(ExpertDataPtr data, LayerScores scores, const QString& scoreName);
    void setPlan(const PlanState& plan);
    ExpertCell cellAt(int row) const;
    int rowOf(const ExpertCell& cell) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    /// A number for sorting and showing; a decision sorts kept before removed.
    double number(const ExpertCell& cell, int column) const;
    QString text(const ExpertCell& cell, int column) const;

    ExpertDataPtr m_data;
    LayerScores m_scores;
    QString m_scoreName;
    std::vector<std::int64_t> m_layers;
    std::vector<std::int32_t> m_ranks;  ///< [layers, experts]
    PlanState m_plan;
};

}  // namespace espalier::ui
