#pragma once

#include <QStringList>
#include <vector>

#include "ui/charts/chart_panel.h"

class QBarCategoryAxis;
class QBarSeries;
class QBarSet;

namespace espalier::ui {

/// How much of each task goes through one expert, beside what goes through an expert of the layer
/// on average.
class TaskChart : public ChartPanel {
    Q_OBJECT

public:
    explicit TaskChart(const QString& name, QWidget* parent = nullptr);

    /// @param shares of each task's tokens, 0 to 1
    /// @param mean the same of the layer's experts on average; empty = not drawn
    void setShares(const QStringList& tasks, const std::vector<double>& shares,
                   const std::vector<double>& mean);
    void clear() { setShares({}, {}, {}); }

protected:
    void paintSeries() override;

private:
    QBarSeries* m_series;
    QBarSet* m_expert;
    QBarSet* m_mean;
    QBarCategoryAxis* m_tasks;
};

}  // namespace espalier::ui
