#pragma once

#include <cstdint>
#include <vector>

#include "ui/charts/chart_panel.h"

class QBarSet;
class QLineSeries;
class QStackedBarSeries;

namespace espalier::ui {

/// How often each expert of one layer is chosen; removed experts are hatched.
class LoadChart : public ChartPanel {
    Q_OBJECT

public:
    explicit LoadChart(const QString& name, QWidget* parent = nullptr);

    /// @param load share of selections per expert
    /// @param kept ids of the experts that stay, ascending; empty = not decided yet
    void setLoad(const std::vector<double>& load, const std::vector<std::int32_t>& kept);
    void clear() { setLoad({}, {}); }

protected:
    void paintSeries() override;

private:
    QStackedBarSeries* m_series;
    QBarSet* m_kept;
    QBarSet* m_removed;
};

/// The saliencies of one layer, highest first, with the cut between what stays and what goes.
class SaliencyChart : public ChartPanel {
    Q_OBJECT

public:
    explicit SaliencyChart(const QString& name, QWidget* parent = nullptr);

    /// @param numKept how many stay; 0 = not decided yet
    void setSaliency(const std::vector<double>& saliency, std::int64_t numKept);
    void clear() { setSaliency({}, 0); }

protected:
    void paintSeries() override;

private:
    QLineSeries* m_curve;
    QLineSeries* m_cut;
};

}  // namespace espalier::ui
