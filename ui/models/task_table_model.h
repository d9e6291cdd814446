#pragma once

#include <QAbstractTableModel>
#include <QStringList>
#include <vector>

#include "ui/bridge/expert_data.h"
#include "ui/bridge/plan_state.h"

namespace espalier::ui {

/// What one task asks of the experts.
struct TaskLoad {
    QString name;
    std::int64_t tokens = 0;
    double carriers = 0;  ///< experts of a layer that carry half of its output, on the mean
    double massKept = 1;  ///< of its output, by the plan
    std::vector<double> overlaps;  ///< with each task's carriers: Jaccard, mean over the layers
    QStringList champions;         ///< "L3: 5, 17", the strongest of each layer
};

/// Of each task of the statistics. @param plan may be empty
std::vector<TaskLoad> taskLoads(const ExpertData& data, const PlanState& plan);

/// A row a task.
class TaskTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    /// Then the overlap with each task.
    enum Column { Name, Tokens, Carriers, MassKept, FirstOverlap };

    using QAbstractTableModel::QAbstractTableModel;

    void setLoads(std::vector<TaskLoad> loads);
    const std::vector<TaskLoad>& loads() const { return m_loads; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::vector<TaskLoad> m_loads;
};

}  // namespace espalier::ui
