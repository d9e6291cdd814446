#include "ui/charts/task_chart.h"

#include <QBarCategoryAxis>
#include <QBarSeries>
#include <QBarSet>
#include <QChart>
#include <QLegend>
#include <QLocale>
#include <QValueAxis>
#include <algorithm>
#include <limits>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

QList<qreal> percentages(const std::vector<double>& shares) {
    QList<qreal> found;
    for (const double share : shares) found.append(100 * finiteOrZero(share));
    return found;
}

}  // namespace

TaskChart::TaskChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Share of each task's tokens"), parent),
      m_series(new QBarSeries),
      m_expert(new QBarSet(tr("this expert"))),
      m_mean(new QBarSet(tr("mean of the layer"))),
      m_tasks(new QBarCategoryAxis(&chart())) {
    m_series->append(m_expert);
    m_series->append(m_mean);
    chart().addSeries(m_series);
    xAxis().hide();
    chart().addAxis(m_tasks, Qt::AlignBottom);
    m_series->attachAxis(m_tasks);
    m_series->attachAxis(&yAxis());
    yAxis().setTitleText(tr("%"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    m_tasks->setGridLineVisible(false);
    setEmptyText(tr("These statistics were gathered on a single task."));
    paintSeries();
}

void TaskChart::setShares(const QStringList& tasks, const std::vector<double>& shares,
                          const std::vector<double>& mean) {
    const QList<qreal> own = percentages(shares);
    const QList<qreal> others = percentages(mean);
    const bool hasMean = !others.isEmpty();
    ChartTable table{{tr("Task"), tr("This expert, %")}, {}, tasks};
    if (hasMean) table.headers.append(tr("Mean of the layer, %"));
    QStringList sentences;
    double highest = 0;
    for (qsizetype i = 0; i < tasks.size(); ++i) {
        table.rows.push_back({own[i]});
        if (hasMean) table.rows.back().push_back(others[i]);
        highest = std::max({highest, own[i], hasMean ? others[i] : 0});
        sentences.append(
            tr("%1 %2 %", "task, share").arg(tasks[i], QLocale().toString(own[i], 'f', 1)));
    }
    m_expert->remove(0, m_expert->count());
    m_mean->remove(0, m_mean->count());
    m_expert->append(own);
    m_mean->append(others);
    m_tasks->setCategories(tasks);
    fitFromZero(yAxis(), highest > 0 ? highest : 1);
    chart().legend()->setVisible(hasMean);
    setSummary(sentences.join(QStringLiteral(", ")));
    setTable(std::move(table));
}

void TaskChart::paintSeries() {
    const Colors& c = colors(palette());
    const QColor other = c.seriesFor(SeriesMeaning::Original).color;
    m_expert->setBrush(c.seriesFor(SeriesMeaning::Compressed).color);
    m_expert->setPen(Qt::NoPen);
    m_mean->setBrush(QBrush(other, Qt::BDiagPattern));
    m_mean->setPen(QPen(other, 1));
    paintAxis(*m_tasks);
}

}  // namespace espalier::ui
