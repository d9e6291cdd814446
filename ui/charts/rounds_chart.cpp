#include "ui/charts/rounds_chart.h"

#include <QChart>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLocale>
#include <QValueAxis>
#include <algorithm>
#include <limits>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {

RoundsChart::RoundsChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Rounds: what each step down costs"), parent),
      m_kl(new QLineSeries),
      m_recall(new QLineSeries),
      m_share(new QValueAxis(&chart())) {
    chart().addAxis(m_share, Qt::AlignRight);
    for (QLineSeries* series : {m_recall, m_kl}) {
        chart().addSeries(series);
        series->attachAxis(&xAxis());
        series->attachAxis(series == m_kl ? &yAxis() : m_share);
        series->setPointsVisible(true);
        series->setMarkerSize(6);
    }
    m_kl->setName(tr("KL divergence"));
    m_recall->setName(tr("same experts, %"));
    xAxis().setTitleText(tr("experts a layer"));
    xAxis().setReverse(true);  // rounds go on to the right
    xAxis().setGridLineVisible(false);
    yAxis().setTitleText(tr("KL, nats"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    m_share->setTitleText(tr("same experts, %"));
    m_share->setLabelFormat(QStringLiteral("%.0f"));
    m_share->setGridLineVisible(false);
    setEmptyText(tr("A point appears when a round is done."));
    paintSeries();
}

void RoundsChart::setRounds(const std::vector<PruneRound>& rounds) {
    QList<QPointF> kl;
    QList<QPointF> recall;
    ChartTable table{{tr("Round"), tr("Experts a layer"), tr("KL, nats"), tr("Same experts, %"),
                      tr("Same best token, %"), tr("Perplexity"), tr("Larger steps refused")},
                     {}};
    for (const PruneRound& round : rounds) {
        kl.append({round.experts, finiteOrZero(round.kl)});
        if (round.recall) recall.append({round.experts, 100 * *round.recall});
        table.rows.push_back(
            {static_cast<double>(round.round), round.experts, round.kl,
             round.recall ? 100 * *round.recall : std::numeric_limits<double>::quiet_NaN(),
             100 * round.top1, round.perplexity, static_cast<double>(round.refused)});
    }
    m_kl->replace(kl);
    m_recall->replace(recall);
    m_share->setVisible(!recall.isEmpty());
    for (QLegendMarker* marker : chart().legend()->markers(m_recall))
        marker->setVisible(!recall.isEmpty());
    fitAxes(rounds);
    setSummary(summaryOf(rounds));
    setTable(std::move(table));
}

void RoundsChart::fitAxes(const std::vector<PruneRound>& rounds) {
    double highest = 0;
    double fewest = rounds.empty() ? 1 : rounds.front().experts;
    double most = fewest;
    double worst = 1;
    for (const PruneRound& round : rounds) {
        highest = std::max(highest, finiteOrZero(round.kl));
        fewest = std::min(fewest, round.experts);
        most = std::max(most, round.experts);
        worst = std::min(worst, round.recall.value_or(1));
    }
    showWholeNumbers(xAxis(), fewest - 0.5, most + 0.5, fewest,
                     static_cast<std::size_t>(most - fewest) + 1);
    fitFromZero(yAxis(), highest > 0 ? highest : 1);
    fitBetween(*m_share, std::min(100 * worst, 90.0), 100);
}

QString RoundsChart::summaryOf(const std::vector<PruneRound>& rounds) {
    if (rounds.empty()) return {};
    const QLocale locale;
    const PruneRound& last = rounds.back();
    const QString experts = locale.toString(last.experts, 'f', 0);
    const QString kl = locale.toString(last.kl, 'g', 3);
    if (!last.recall) {
        return tr("%1 rounds, to %2 experts a layer and a divergence of %3.")
            .arg(rounds.size())
            .arg(experts, kl);
    }
    return tr("%1 rounds, to %2 experts a layer, a divergence of %3 and %4 % of the choices kept.")
        .arg(rounds.size())
        .arg(experts, kl, locale.toString(100 * *last.recall, 'f', 1));
}

void RoundsChart::paintSeries() {
    const Colors& c = colors(palette());
    const SeriesStyle& kl = c.seriesFor(SeriesMeaning::Compressed);
    const SeriesStyle& recall = c.seriesFor(SeriesMeaning::Routing);
    m_kl->setPen(QPen(kl.color, 2, kl.dash));
    m_recall->setPen(QPen(recall.color, 2, recall.dash));
    paintAxis(*m_share);
}

}  // namespace espalier::ui
