#include "ui/charts/routing_chart.h"

#include <QChart>
#include <QLegend>
#include <QLineSeries>
#include <QLocale>
#include <QValueAxis>
#include <algorithm>
#include <cmath>

#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

constexpr std::size_t mostTicks = 10;

/// The layers with whole numbers at most ten ticks apart.
void showLayers(QValueAxis& axis, const std::vector<RoutingLayer>& layers) {
    const auto last = layers.empty() ? 1.0 : static_cast<double>(layers.back().layer);
    const auto first = layers.empty() ? 0.0 : static_cast<double>(layers.front().layer);
    double distance = 1;
    while ((last - first) / distance > static_cast<double>(mostTicks)) distance *= 2;
    axis.setTickType(QValueAxis::TicksDynamic);
    axis.setTickAnchor(first);
    axis.setTickInterval(distance);
    axis.setLabelFormat(QStringLiteral("%.0f"));
    axis.setRange(first - 0.5, last + 0.5);
}

}  // namespace

RoutingChart::RoutingChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Same experts as the original, by layer"), parent),
      m_whole(new QLineSeries),
      m_local(new QLineSeries) {
    for (QLineSeries* series : {m_local, m_whole}) {
        chart().addSeries(series);
        series->attachAxis(&xAxis());
        series->attachAxis(&yAxis());
        series->setPointsVisible(true);
    }
    m_whole->setName(tr("end to end"));
    m_local->setName(tr("on the original's input"));
    xAxis().setTitleText(tr("layer"));
    yAxis().setTitleText(tr("kept, %"));
    yAxis().setLabelFormat(QStringLiteral("%.0f"));
    yAxis().setRange(0, 100);
    setEmptyText(tr("The curve appears when a stage has compared its model with the original."));
    paintSeries();
}

void RoutingChart::setLayers(const std::vector<RoutingLayer>& layers) {
    QList<QPointF> whole;
    QList<QPointF> local;
    ChartTable table{{tr("Layer"), tr("Choices kept, %"), tr("On the original's input, %"),
                      tr("Router KL, nats")},
                     {}};
    for (const RoutingLayer& layer : layers) {
        const auto x = static_cast<double>(layer.layer);
        whole.append({x, 100 * layer.recall});
        local.append({x, 100 * layer.localRecall});
        table.rows.push_back({x, 100 * layer.recall, 100 * layer.localRecall, layer.kl});
    }
    m_whole->replace(whole);
    m_local->replace(local);
    showLayers(xAxis(), layers);
    const auto byRecall = [](const RoutingLayer& a, const RoutingLayer& b) {
        return a.recall < b.recall;
    };
    if (!layers.empty()) {
        const auto& worst = *std::min_element(layers.begin(), layers.end(), byRecall);
        // Room below the worst, in whole tens.
        const double step = worst.recall < 0.6 ? 20 : 10;
        const double lowest = step * std::floor(100 * std::min(worst.recall, 0.9) / step);
        yAxis().setRange(lowest, 100);
        yAxis().setTickCount(static_cast<int>((100 - lowest) / step) + 1);
        setSummary(tr("%1 layers; fewest of the original's choices are kept in layer %2: %3 %.")
                       .arg(layers.size())
                       .arg(worst.layer)
                       .arg(QLocale().toString(100 * worst.recall, 'f', 1)));
    }
    setTable(std::move(table));
}

void RoutingChart::paintSeries() {
    const Colors& c = colors(palette());
    const SeriesStyle& whole = c.seriesFor(SeriesMeaning::Routing);
    const SeriesStyle& local = c.seriesFor(SeriesMeaning::Other);
    m_whole->setPen(QPen(whole.color, 2, whole.dash));
    m_local->setPen(QPen(local.color, 2, local.dash));
    m_whole->setMarkerSize(6);
    m_local->setMarkerSize(6);
}

}  // namespace espalier::ui
