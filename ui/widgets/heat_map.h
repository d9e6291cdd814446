#pragma once

#include <QWidget>

namespace espalier::ui {

class ExpertMatrixModel;
class HeatLegend;
class HeatOverview;
class HeatView;

/// A heat view with what belongs to it: overview above, bars at the right edge, legend below.
class HeatMap : public QWidget {
    Q_OBJECT

public:
    /// @param name object name of the view, such as `exp_map_heat_view`
    HeatMap(const QString& name, ExpertMatrixModel& model, QWidget* parent = nullptr);

    HeatView& view() const { return *m_view; }
    HeatOverview& overview() const { return *m_overview; }
    HeatLegend& legend() const { return *m_legend; }

private:
    HeatView* m_view;
    HeatOverview* m_overview;
    HeatLegend* m_legend;
};

}  // namespace espalier::ui
