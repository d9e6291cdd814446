#pragma once

#include <cstdint>
#include <vector>

#include "ui/charts/chart_panel.h"

class QLineSeries;

namespace espalier::ui {

/// What a comparison with the original says of one layer's routing.
struct RoutingLayer {
    std::int64_t layer = 0;
    double recall = 0;       ///< share of the original's choices that are made, end to end
    double localRecall = 0;  ///< the same on the original's own input of the layer
    double kl = 0;           ///< of the router's distribution, nats
    bool operator==(const RoutingLayer&) const = default;
};

/// Which share of the original's choices of experts is still made, layer by layer.
class RoutingChart : public ChartPanel {
    Q_OBJECT

public:
    explicit RoutingChart(const QString& name, QWidget* parent = nullptr);

    void setLayers(const std::vector<RoutingLayer>& layers);

protected:
    void paintSeries() override;

private:
    QLineSeries* m_whole;
    QLineSeries* m_local;
};

}  // namespace espalier::ui
