#pragma once

#include <cstdint>
#include <vector>

#include "ui/charts/chart_panel.h"

class QBarSeries;
class QBarSet;
class QCategoryAxis;
class QCheckBox;

namespace espalier::ui {

/// How large an expert's gate is when it is chosen: equal bins of 0 to 1, counts linear or
/// logarithmic.
class GateHistogram : public ChartPanel {
    Q_OBJECT

public:
    explicit GateHistogram(const QString& name, QWidget* parent = nullptr);

    /// @param counts of each bin; empty = not gathered
    void setCounts(const std::vector<std::int64_t>& counts);
    void clear() { setCounts({}); }
    bool isLogarithmic() const;
    void setLogarithmic(bool isLogarithmic);

protected:
    void paintSeries() override;

private:
    void showCounts();
    void showAxis(double highest);
    /// Height of a bar in the drawing.
    double heightOf(double count) const;
    QString summary() const;

    std::vector<std::int64_t> m_counts;
    QBarSeries* m_series;
    QBarSet* m_bars;
    QCategoryAxis* m_gates;   ///< 0 to 1 below the bars, which stand at whole numbers
    QCategoryAxis* m_powers;  ///< 1, 10, 100, … in place of the linear axis
    QCheckBox* m_log;
};

}  // namespace espalier::ui
