#pragma once

#include <QTimer>
#include <QWidget>
#include <map>

#include "pipeline/events.h"

class QComboBox;

namespace espalier::ui {

class LoadChart;
class SaliencyChart;

/// Routing and saliency of one layer, chosen from a list that grows as layers are measured.
class RunLayerCharts : public QWidget {
    Q_OBJECT

public:
    explicit RunLayerCharts(QWidget* parent = nullptr);

    /// Drawn at most ten times a second.
    void setLayer(const LayerMeasured& layer);
    void clear();

private:
    void showLayer();
    void addChoice(std::int64_t layer);

    std::map<std::int64_t, LayerMeasured> m_layers;
    QComboBox* m_choice;
    LoadChart* m_load;
    SaliencyChart* m_saliency;
    QTimer m_drawTimer;
    bool m_isChosen = false;  ///< by the user; else the newest layer is shown
};

}  // namespace espalier::ui
