#pragma once

#include <QTimer>
#include <map>

#include "pipeline/events.h"
#include "ui/widgets/chosen_charts.h"

namespace espalier::ui {

class LoadChart;
class SaliencyChart;

/// Routing and saliency of one layer, chosen from a list that grows as layers are measured.
class RunLayerCharts : public ChosenCharts {
    Q_OBJECT

public:
    explicit RunLayerCharts(QWidget* parent = nullptr);

    /// Drawn at most ten times a second.
    void setLayer(const LayerMeasured& layer);
    void clear();

private:
    RunLayerCharts(LoadChart* load, SaliencyChart* saliency, QWidget* parent);
    void showLayer();

    std::map<std::int64_t, LayerMeasured> m_layers;
    LoadChart* m_load;
    SaliencyChart* m_saliency;
    QTimer m_drawTimer;
};

}  // namespace espalier::ui
