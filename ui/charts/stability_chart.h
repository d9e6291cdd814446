#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ui/charts/chart_panel.h"

class QLineSeries;
class QScatterSeries;

namespace espalier::ui {

/// Whether both halves of the data would choose the same experts of a layer: one half's numbers
/// against the other's.
class StabilityChart : public ChartPanel {
    Q_OBJECT

public:
    explicit StabilityChart(const QString& name, QWidget* parent = nullptr);

    /// @param first, second a number for every expert, by each half of the data
    /// @param numKept how many each half would keep, its highest
    void setHalves(const std::vector<double>& first, const std::vector<double>& second,
                   std::int64_t numKept);
    void clear() { setHalves({}, {}, 0); }
    /// Of the experts that the first half keeps, how many the second keeps too.
    std::int64_t numAgreed() const { return m_numAgreed; }

protected:
    void paintSeries() override;

private:
    /// Kept by both, by one alone, by none.
    enum Choice : std::size_t { Both, One, None, NumChoices };

    std::array<QScatterSeries*, NumChoices> m_points;
    QLineSeries* m_diagonal;
    std::int64_t m_numAgreed = 0;
};

}  // namespace espalier::ui
