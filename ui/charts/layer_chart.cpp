#include "ui/charts/layer_chart.h"

#include <QBarLegendMarker>
#include <QBarSet>
#include <QChart>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLocale>
#include <QStackedBarSeries>
#include <QValueAxis>
#include <algorithm>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

QString percentText(double share) { return QLocale().toString(100 * share, 'f', 1); }

}  // namespace

LayerChart::LayerChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Experts of the layer, highest first"), parent),
      m_series(new QStackedBarSeries),
      m_kept(new QBarSet(tr("stays"))),
      m_removed(new QBarSet(tr("removed"))),
      m_merged(new QBarSet(tr("merged"))),
      m_mass(new QLineSeries),
      m_cut(new QLineSeries),
      m_share(new QValueAxis(&chart())) {
    m_series->append(m_kept);
    m_series->append(m_removed);
    m_series->append(m_merged);
    m_series->setBarWidth(0.8);
    chart().addAxis(m_share, Qt::AlignRight);
    chart().addSeries(m_series);
    m_series->attachAxis(&xAxis());
    m_series->attachAxis(&yAxis());
    for (QLineSeries* line : {m_mass, m_cut}) {
        chart().addSeries(line);
        line->attachAxis(&xAxis());
        line->attachAxis(m_share);
    }
    m_mass->setName(tr("together, %"));
    m_share->setRange(0, 100);
    m_share->setTickCount(6);
    m_share->setLabelFormat(QStringLiteral("%.0f"));
    m_share->setTitleText(tr("together, %"));
    m_share->setGridLineVisible(false);
    xAxis().setTitleText(tr("rank"));
    xAxis().setGridLineVisible(false);
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    setEmptyText(tr("Choose a layer of which statistics are there."));
    paintSeries();
}

void LayerChart::setExperts(std::vector<LayerExpert> experts, const QString& metric, bool hasPlan) {
    std::stable_sort(experts.begin(), experts.end(), [](const auto& a, const auto& b) {
        return finiteOrZero(a.value) > finiteOrZero(b.value);
    });
    double total = 0;
    for (const LayerExpert& row : experts) total += std::max(0.0, finiteOrZero(row.value));
    ChartTable table{
        {tr("Rank"), tr("Expert"), metric, tr("Together, %"), tr("Stays"), tr("Merged")}, {}};
    QList<qreal> staying;
    QList<qreal> leaving;
    QList<qreal> merging;
    QList<QPointF> mass{{0.5, 0}};
    double sum = 0;
    double held = 0;
    std::size_t numKept = 0;
    std::size_t numMerged = 0;
    for (std::size_t i = 0; i < experts.size(); ++i) {
        const double value = finiteOrZero(experts[i].value);
        const bool stays = !hasPlan || experts[i].stays;
        sum += std::max(0.0, value);
        if (stays) held += std::max(0.0, value);
        const bool isMerged = !stays && experts[i].isMerged;
        if (stays) ++numKept;
        if (isMerged) ++numMerged;
        staying.append(stays ? value : 0);
        merging.append(isMerged ? value : 0);
        leaving.append(stays || isMerged ? 0 : value);
        const double together = total > 0 ? 100 * sum / total : 0;
        mass.append({static_cast<double>(i) + 1, together});
        table.rows.push_back({static_cast<double>(i + 1), static_cast<double>(experts[i].expert),
                              value, together, stays ? 1.0 : 0.0, isMerged ? 1.0 : 0.0});
    }
    // Bars stand at 0, 1, 2, …: an empty one before them puts them at their ranks.
    for (auto [set, values] : {std::pair(m_kept, &staying), std::pair(m_removed, &leaving),
                               std::pair(m_merged, &merging)}) {
        values->prepend(0);
        set->remove(0, set->count());
        set->append(*values);
    }
    m_mass->replace(mass);
    const double highest = experts.empty() ? 0 : finiteOrZero(experts.front().value);
    const std::size_t count = std::max<std::size_t>(experts.size(), 1);
    showWholeNumbers(xAxis(), 0.5, static_cast<double>(count) + 0.5, 1, count);
    fitFromZero(yAxis(), highest > 0 ? highest : 1);
    yAxis().setTitleText(metric);
    showCut(hasPlan ? numKept : 0, numMerged, experts.size());
    const QString size = QLocale().toString(static_cast<qlonglong>(experts.size()));
    setSummary(experts.empty() ? QString()
               : numMerged > 0
                   ? tr("%1 of %2 experts stay, %3 become part of them; those that stay hold %4 % "
                        "of the whole.")
                         .arg(numKept)
                         .arg(size)
                         .arg(numMerged)
                         .arg(percentText(total > 0 ? held / total : 0))
               : hasPlan
                   ? tr("%1 of %2 experts stay; they hold %3 % of the whole.")
                         .arg(numKept)
                         .arg(size, percentText(total > 0 ? held / total : 0))
                   : tr("%1 experts, highest %2, lowest %3.")
                         .arg(size, QLocale().toString(highest, 'g', 3),
                              QLocale().toString(finiteOrZero(experts.back().value), 'g', 3)));
    setTable(std::move(table));
}

void LayerChart::showCut(std::size_t numKept, std::size_t numMerged, std::size_t count) {
    const bool hasPlan = numKept > 0;
    const bool hasCut = hasPlan && numKept < count;
    const double cut = static_cast<double>(numKept) + 0.5;
    m_cut->setName(tr("cut: %1 stay").arg(numKept));
    m_cut->replace(hasCut ? QList<QPointF>{{cut, 0}, {cut, 100}} : QList<QPointF>{});
    for (QLegendMarker* marker : chart().legend()->markers()) {
        bool isShown = hasPlan;
        if (marker->series() == m_mass) isShown = true;
        if (marker->series() == m_cut) isShown = hasCut;
        auto* bar = qobject_cast<QBarLegendMarker*>(marker);
        if (bar != nullptr && bar->barset() == m_merged) isShown = numMerged > 0;
        marker->setVisible(isShown);
    }
}

void LayerChart::paintSeries() {
    const Colors& c = colors(palette());
    const QColor stays = c.seriesFor(SeriesMeaning::Compressed).color;
    const QColor goes = c.seriesFor(SeriesMeaning::Original).color;
    m_kept->setBrush(stays);
    m_kept->setPen(Qt::NoPen);
    m_removed->setBrush(QBrush(goes, Qt::BDiagPattern));
    m_removed->setPen(QPen(goes, 1));
    m_merged->setBrush(QBrush(stays, Qt::HorPattern));
    m_merged->setPen(QPen(stays, 1));
    const SeriesStyle& mass = c.seriesFor(SeriesMeaning::Other);
    const SeriesStyle& cut = c.seriesFor(SeriesMeaning::Limit);
    m_mass->setPen(QPen(mass.color, 2, mass.dash));
    m_cut->setPen(QPen(cut.color, 2, cut.dash));
    paintAxis(*m_share);
}

}  // namespace espalier::ui
