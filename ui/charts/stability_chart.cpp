#include "ui/charts/stability_chart.h"

#include <QChart>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLocale>
#include <QScatterSeries>
#include <QValueAxis>
#include <algorithm>
#include <numeric>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

/// Which are among the `numKept` highest; equal ones: the lower number.
std::vector<bool> highest(const std::vector<double>& values, std::int64_t numKept) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return finiteOrZero(values[a]) > finiteOrZero(values[b]);
    });
    std::vector<bool> kept(values.size());
    const auto count =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(numKept, 0)), values.size());
    for (std::size_t i = 0; i < count; ++i) kept[order[i]] = true;
    return kept;
}

}  // namespace

StabilityChart::StabilityChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("The same choice by both halves of the data"), parent),
      m_points{new QScatterSeries, new QScatterSeries, new QScatterSeries},
      m_diagonal(new QLineSeries) {
    chart().addSeries(m_diagonal);
    for (QScatterSeries* points : m_points) chart().addSeries(points);
    for (QAbstractSeries* series : chart().series()) {
        series->attachAxis(&xAxis());
        series->attachAxis(&yAxis());
    }
    chart().legend()->setMarkerShape(QLegend::MarkerShapeFromSeries);
    m_points[Both]->setName(tr("both keep it"));
    m_points[One]->setName(tr("one does"));
    m_points[None]->setName(tr("none does"));
    for (QLegendMarker* marker : chart().legend()->markers(m_diagonal)) marker->setVisible(false);
    xAxis().setTitleText(tr("first half"));
    yAxis().setTitleText(tr("second half"));
    xAxis().setLabelFormat(QStringLiteral("%.3g"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    setEmptyText(tr("These statistics were not gathered by halves of the data."));
    paintSeries();
}

void StabilityChart::setHalves(const std::vector<double>& first, const std::vector<double>& second,
                               std::int64_t numKept) {
    const std::vector<bool> one = highest(first, numKept);
    const std::vector<bool> other = highest(second, numKept);
    std::array<QList<QPointF>, NumChoices> points;
    ChartTable table{{tr("Expert"), tr("First half"), tr("Second half"), tr("Halves that keep it")},
                     {}};
    double top = 0;
    m_numAgreed = 0;
    for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
        const QPointF point(finiteOrZero(first[i]), finiteOrZero(second[i]));
        const int keepers = static_cast<int>(one[i]) + static_cast<int>(other[i]);
        points[keepers == 2 ? Both : keepers == 1 ? One : None].append(point);
        if (keepers == 2) ++m_numAgreed;
        top = std::max({top, point.x(), point.y()});
        table.rows.push_back(
            {static_cast<double>(i), point.x(), point.y(), static_cast<double>(keepers)});
    }
    for (std::size_t i = 0; i < NumChoices; ++i) m_points[i]->replace(points[i]);
    fitFromZero(xAxis(), top > 0 ? top : 1);
    fitFromZero(yAxis(), top > 0 ? top : 1);
    m_diagonal->replace({{0, 0}, {xAxis().max(), yAxis().max()}});
    setSummary(tr("Each half of the data keeps %1 of %2 experts; %3 are the same.")
                   .arg(numKept)
                   .arg(table.rows.size())
                   .arg(m_numAgreed));
    setTable(std::move(table));
}

void StabilityChart::paintSeries() {
    const Colors& c = colors(palette());
    const auto dress = [&](QScatterSeries& points, SeriesMeaning meaning,
                           QScatterSeries::MarkerShape shape, bool isFilled) {
        const QColor color = c.seriesFor(meaning).color;
        points.setMarkerShape(shape);
        points.setMarkerSize(7);
        points.setPen(QPen(color, 1.5));
        points.setBrush(isFilled ? color : c.surface);
    };
    dress(*m_points[Both], SeriesMeaning::Compressed, QScatterSeries::MarkerShapeCircle, true);
    dress(*m_points[One], SeriesMeaning::Limit, QScatterSeries::MarkerShapeRectangle, true);
    dress(*m_points[None], SeriesMeaning::Original, QScatterSeries::MarkerShapeCircle, false);
    m_diagonal->setPen(QPen(c.border, 1, Qt::DashLine));
}

}  // namespace espalier::ui
