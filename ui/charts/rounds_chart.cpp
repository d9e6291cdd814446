#include "ui/charts/rounds_chart.h"

#include <QChart>
#include <QLineSeries>
#include <QLocale>
#include <QValueAxis>
#include <algorithm>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {

RoundsChart::RoundsChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Rounds: experts and divergence"), parent),
      m_kl(new QLineSeries),
      m_experts(new QLineSeries),
      m_count(new QValueAxis(&chart())) {
    chart().addAxis(m_count, Qt::AlignRight);
    for (QLineSeries* series : {m_experts, m_kl}) {
        chart().addSeries(series);
        series->attachAxis(&xAxis());
        series->attachAxis(series == m_kl ? &yAxis() : m_count);
        series->setPointsVisible(true);
        series->setMarkerSize(6);
    }
    m_kl->setName(tr("KL divergence"));
    m_experts->setName(tr("experts a layer"));
    xAxis().setTitleText(tr("round"));
    xAxis().setGridLineVisible(false);
    yAxis().setTitleText(tr("KL, nats"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    m_count->setTitleText(tr("experts a layer"));
    m_count->setLabelFormat(QStringLiteral("%.0f"));
    m_count->setGridLineVisible(false);
    setEmptyText(tr("A point appears when a round is done."));
    paintSeries();
}

void RoundsChart::setRounds(const std::vector<PruneRound>& rounds) {
    QList<QPointF> kl;
    QList<QPointF> experts;
    ChartTable table{{tr("Round"), tr("Experts a layer"), tr("KL, nats"), tr("Same best token, %"),
                      tr("Perplexity"), tr("Larger steps refused")},
                     {}};
    double highest = 0;
    double most = 0;
    for (const PruneRound& round : rounds) {
        const auto x = static_cast<double>(round.round);
        kl.append({x, finiteOrZero(round.kl)});
        experts.append({x, round.experts});
        highest = std::max(highest, finiteOrZero(round.kl));
        most = std::max(most, round.experts);
        table.rows.push_back({x, round.experts, round.kl, 100 * round.top1, round.perplexity,
                              static_cast<double>(round.refused)});
    }
    m_kl->replace(kl);
    m_experts->replace(experts);
    const std::size_t count = std::max<std::size_t>(rounds.size(), 1);
    showWholeNumbers(xAxis(), 0.5, static_cast<double>(count) + 0.5, 1, count);
    fitFromZero(yAxis(), highest > 0 ? highest : 1);
    fitFromZero(*m_count, most > 0 ? most : 1);
    if (rounds.empty()) {
        setSummary({});
    } else {
        const QLocale locale;
        setSummary(tr("%1 rounds, to %2 experts a layer and a divergence of %3.")
                       .arg(rounds.size())
                       .arg(locale.toString(rounds.back().experts, 'f', 0),
                            locale.toString(rounds.back().kl, 'g', 3)));
    }
    setTable(std::move(table));
}

void RoundsChart::paintSeries() {
    const Colors& c = colors(palette());
    const SeriesStyle& kl = c.seriesFor(SeriesMeaning::Compressed);
    const SeriesStyle& experts = c.seriesFor(SeriesMeaning::Other);
    m_kl->setPen(QPen(kl.color, 2, kl.dash));
    m_experts->setPen(QPen(experts.color, 2, experts.dash));
    m_count->setLabelsColor(c.text2);
    m_count->setTitleBrush(c.text2);
    m_count->setLinePenColor(c.border);
    m_count->setLabelsFont(captionFont(font()));
    m_count->setTitleFont(captionFont(font()));
}

}  // namespace espalier::ui
