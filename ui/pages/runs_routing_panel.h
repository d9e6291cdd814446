#pragma once

#include <cstddef>
#include <map>

#include "base/json.h"
#include "ui/charts/routing_chart.h"
#include "ui/widgets/chosen_charts.h"

namespace espalier::ui {

/// The verdict on routing of each stage that compared its model with the original, and the layers
/// of the one that is chosen. Hidden until there is one.
class RunRoutingPanel : public ChosenCharts {
    Q_OBJECT

public:
    explicit RunRoutingPanel(QWidget* parent = nullptr);

    /// @param routing see routing_report.h; without a verdict nothing is shown
    void setStage(std::size_t position, const QString& name, const Json& routing);
    void clear();

private:
    RunRoutingPanel(RoutingChart* chart, QWidget* parent);
    void showChosen();

    std::map<qlonglong, std::vector<RoutingLayer>> m_stages;
    RoutingChart* m_chart;
};

}  // namespace espalier::ui
