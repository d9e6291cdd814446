#include "ui/charts/expert_charts.h"

#include <QBarSet>
#include <QChart>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLocale>
#include <QStackedBarSeries>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ui/charts/axis_fit.h"
#include "ui/charts/decimate.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

constexpr qsizetype mostMarkedPoints = 128;

}  // namespace

LoadChart::LoadChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("How often each expert is chosen"), parent),
      m_series(new QStackedBarSeries),
      m_kept(new QBarSet(tr("stays"))),
      m_removed(new QBarSet(tr("removed"))) {
    m_series->append(m_kept);
    m_series->append(m_removed);
    m_series->setBarWidth(0.8);
    chart().addSeries(m_series);
    m_series->attachAxis(&xAxis());
    m_series->attachAxis(&yAxis());
    xAxis().setTitleText(tr("expert"));
    xAxis().setGridLineVisible(false);
    yAxis().setTitleText(tr("share, %"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    setEmptyText(tr("The first layer appears when calibration has read its tokens through it."));
    paintSeries();
}

void LoadChart::setLoad(const std::vector<double>& load, const std::vector<std::int32_t>& kept) {
    const std::size_t count = load.size();
    QList<qreal> staying;
    QList<qreal> leaving;
    ChartTable table{{tr("Expert"), tr("Share of choices, %"), tr("Stays")}, {}};
    for (std::size_t expert = 0; expert < count; ++expert) {
        const bool stays = kept.empty() || std::binary_search(kept.begin(), kept.end(),
                                                              static_cast<std::int32_t>(expert));
        const double percent = 100 * finiteOrZero(load[expert]);
        staying.append(stays ? percent : 0);
        leaving.append(stays ? 0 : percent);
        table.rows.push_back({static_cast<double>(expert), percent, stays ? 1.0 : 0.0});
    }
    m_kept->remove(0, m_kept->count());
    m_removed->remove(0, m_removed->count());
    m_kept->append(staying);
    m_removed->append(leaving);
    const double highest =
        count == 0 ? 0 : 100 * finiteOrZero(*std::max_element(load.begin(), load.end()));
    showWholeNumbers(xAxis(), -0.5, static_cast<double>(std::max<std::size_t>(count, 1)) - 0.5, 0,
                     count);
    fitFromZero(yAxis(), highest > 0 ? highest : 1);
    chart().legend()->setVisible(!kept.empty());
    if (count > 0) {
        const auto busiest = std::max_element(load.begin(), load.end()) - load.begin();
        setSummary(
            tr("%1 experts; expert %2 is chosen most, %3 % of the time; even use would be %4 %.")
                .arg(count)
                .arg(busiest)
                .arg(QLocale().toString(highest, 'f', 1),
                     QLocale().toString(100.0 / static_cast<double>(count), 'f', 1)));
    }
    setTable(std::move(table));
}

void LoadChart::paintSeries() {
    const Colors& c = colors(palette());
    const QColor stays = c.seriesFor(SeriesMeaning::Compressed).color;
    const QColor goes = c.seriesFor(SeriesMeaning::Original).color;
    m_kept->setBrush(stays);
    m_kept->setPen(Qt::NoPen);
    m_removed->setBrush(QBrush(goes, Qt::BDiagPattern));
    m_removed->setPen(QPen(goes, 1));
}

SaliencyChart::SaliencyChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Saliency of the experts, highest first"), parent),
      m_curve(new QLineSeries),
      m_cut(new QLineSeries) {
    for (QLineSeries* series : {m_curve, m_cut}) {
        chart().addSeries(series);
        series->attachAxis(&xAxis());
        series->attachAxis(&yAxis());
    }
    m_curve->setName(tr("saliency"));
    xAxis().setTitleText(tr("rank"));
    yAxis().setTitleText(tr("saliency"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    setEmptyText(tr("The curve appears with the first measured layer."));
    paintSeries();
}

void SaliencyChart::setSaliency(const std::vector<double>& saliency, std::int64_t numKept) {
    std::vector<double> sorted;
    std::transform(saliency.begin(), saliency.end(), std::back_inserter(sorted), finiteOrZero);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    QList<QPointF> points;
    ChartTable table{{tr("Rank"), tr("Saliency"), tr("Stays")}, {}};
    const auto cutRank = static_cast<std::size_t>(numKept);
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        points.append({static_cast<double>(i + 1), sorted[i]});
        table.rows.push_back(
            {static_cast<double>(i + 1), sorted[i], numKept == 0 || i < cutRank ? 1.0 : 0.0});
    }
    const double highest = sorted.empty() || sorted.front() <= 0 ? 1 : sorted.front();
    m_curve->setPointsVisible(points.size() <= mostMarkedPoints);
    m_curve->replace(decimate(points));
    const double cut = static_cast<double>(numKept) + 0.5;
    m_cut->setName(tr("cut: the first %1 stay").arg(numKept));
    showWholeNumbers(xAxis(), 0.5,
                     static_cast<double>(std::max<std::size_t>(sorted.size(), 1)) + 0.5, 1,
                     sorted.size());
    fitFromZero(yAxis(), highest);
    m_cut->replace(numKept > 0 ? QList<QPointF>{{cut, 0}, {cut, yAxis().max()}} : QList<QPointF>{});
    chart().legend()->setVisible(numKept > 0);
    if (!sorted.empty()) {
        const double total = std::accumulate(sorted.begin(), sorted.end(), 0.0);
        const auto end =
            sorted.begin() + static_cast<std::ptrdiff_t>(std::min(cutRank, sorted.size()));
        const double share = total > 0 ? std::accumulate(sorted.begin(), end, 0.0) / total : 0;
        setSummary(numKept == 0 ? tr("%1 experts, saliency from %2 to %3.")
                                      .arg(sorted.size())
                                      .arg(QLocale().toString(sorted.front(), 'g', 3),
                                           QLocale().toString(sorted.back(), 'g', 3))
                                : tr("%1 of %2 experts stay; they hold %3 % of the saliency.")
                                      .arg(numKept)
                                      .arg(sorted.size())
                                      .arg(QLocale().toString(100 * share, 'f', 1)));
    }
    setTable(std::move(table));
}

void SaliencyChart::paintSeries() {
    const Colors& c = colors(palette());
    const SeriesStyle& curve = c.seriesFor(SeriesMeaning::Compressed);
    const SeriesStyle& cut = c.seriesFor(SeriesMeaning::Limit);
    m_curve->setPen(QPen(curve.color, 2, curve.dash));
    m_curve->setMarkerSize(6);
    m_cut->setPen(QPen(cut.color, 2, cut.dash));
}

}  // namespace espalier::ui
