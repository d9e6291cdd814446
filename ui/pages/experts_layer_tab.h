#pragma once

#include <QWidget>

#include "ui/bridge/expert_data.h"
#include "ui/models/expert_matrix.h"

class QBoxLayout;
class QComboBox;

namespace espalier::ui {

class ExpertSession;
class InfoView;
class LayerChart;
class StabilityChart;

/// All experts of one layer, with the cut and how sure it is.
class ExpertsLayerTab : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsLayerTab(ExpertSession& session, QWidget* parent = nullptr);

    void showScores(const LayerScores& scores, const QString& name);
    void chooseLayer(std::int64_t layer);
    void arrange(bool isNarrow);

private:
    void showLayer();
    void showRows(std::int64_t layer);
    void showHalves(std::int64_t layer);

    ExpertSession& m_session;
    LayerScores m_scores;
    QString m_name;
    QComboBox* m_layers;
    QBoxLayout* m_charts;
    LayerChart* m_chart;
    StabilityChart* m_stability;
    InfoView* m_rows;
};

}  // namespace espalier::ui
