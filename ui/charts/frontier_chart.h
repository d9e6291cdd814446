#pragma once

#include <vector>

#include "ui/charts/chart_panel.h"

class QLineSeries;
class QScatterSeries;

namespace espalier::ui {

/// A plan that was tried, or is only predicted.
struct FrontierPoint {
    int id = 0;
    QString name;
    double x = 0;   ///< size or kept share, as the axis says
    double kl = 0;  ///< to the original, nats
    bool isMeasured = true;
    bool isCurrent = false;  ///< the plan in force
    bool operator==(const FrontierPoint&) const = default;
};

/// What plans cost against what they keep: one point a plan. Measured ones are filled, predicted
/// ones hollow. A click on a point, or ← → and Enter, asks to go back to its plan.
class FrontierChart : public ChartPanel {
    Q_OBJECT

public:
    explicit FrontierChart(const QString& name, QWidget* parent = nullptr);

    /// What x is: "size, GB" or "experts kept, %".
    void setAxis(const QString& title);
    void setPoints(std::vector<FrontierPoint> points);
    void clear() { setPoints({}); }
    /// Where a point lies in the chart's view; for tests.
    QPointF placeOf(int id) const;

Q_SIGNALS:
    void pointActivated(int id);

protected:
    void paintSeries() override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void showFocus();
    void moveFocus(int steps);
    bool takeKey(int key);
    /// The point there, or none.
    void activateAt(const QPointF& value);
    QString textOf(const FrontierPoint& point) const;
    QString summary() const;

    std::vector<FrontierPoint> m_points;  ///< ascending in x
    std::size_t m_focus = 0;
    QString m_axis;
    QLineSeries* m_frontier;
    QScatterSeries* m_measured;
    QScatterSeries* m_predicted;
    QScatterSeries* m_current;
    QScatterSeries* m_ring;
};

}  // namespace espalier::ui
