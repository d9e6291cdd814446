#pragma once

#include <cstdint>
#include <vector>

#include "ui/charts/chart_panel.h"

class QBarSet;
class QLineSeries;
class QStackedBarSeries;

namespace espalier::ui {

/// One expert of a layer, for its chart.
struct LayerExpert {
    std::int32_t expert = 0;
    double value = 0;
    bool stays = true;
    bool isMerged = false;  ///< goes, but into one that stays
};

/// All experts of one layer, highest first, with the share of the whole that the first ones hold
/// together, and the cut.
class LayerChart : public ChartPanel {
    Q_OBJECT

public:
    explicit LayerChart(const QString& name, QWidget* parent = nullptr);

    /// @param metric what the values are: "saliency"
    /// @param hasPlan false: nothing is decided, no cut is drawn
    void setExperts(std::vector<LayerExpert> experts, const QString& metric, bool hasPlan);
    void clear() { setExperts({}, {}, false); }

protected:
    void paintSeries() override;

private:
    void showCut(std::size_t numKept, std::size_t numMerged, std::size_t count);

    QStackedBarSeries* m_series;
    QBarSet* m_kept;
    QBarSet* m_removed;
    QBarSet* m_merged;
    QLineSeries* m_mass;
    QLineSeries* m_cut;
    QValueAxis* m_share;
};

}  // namespace espalier::ui
