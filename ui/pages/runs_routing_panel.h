#pragma once

#include <QWidget>
#include <cstddef>
#include <map>

#include "base/json.h"
#include "ui/charts/routing_chart.h"

class QComboBox;

namespace espalier::ui {

/// The verdict on routing of each stage that compared its model with the original, and the layers
/// of the one that is chosen. Hidden until there is one.
class RunRoutingPanel : public QWidget {
    Q_OBJECT

public:
    explicit RunRoutingPanel(QWidget* parent = nullptr);

    /// @param routing see routing_report.h; without a verdict nothing is shown
    void setStage(std::size_t position, const QString& name, const Json& routing);
    void clear();

private:
    void showChosen();

    std::map<std::size_t, std::vector<RoutingLayer>> m_stages;
    QComboBox* m_choice;
    RoutingChart* m_chart;
    bool m_isChosen = false;  ///< by the user; else the newest stage is shown
};

}  // namespace espalier::ui
