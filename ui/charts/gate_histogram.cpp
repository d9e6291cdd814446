#include "ui/charts/gate_histogram.h"

#include <QBarSeries>
#include <QBarSet>
#include <QCategoryAxis>
#include <QChart>
#include <QCheckBox>
#include <QLegend>
#include <QLocale>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

/// On a logarithmic axis a bar of one stands this high, in powers of ten, so that it shows.
constexpr double heightOfOne = 0.3;

QString percentText(double share) { return QLocale().toString(100 * share, 'f', 1); }

}  // namespace

GateHistogram::GateHistogram(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Gate when chosen"), parent),
      m_series(new QBarSeries),
      m_bars(new QBarSet(tr("tokens"))),
      m_gates(new QCategoryAxis(&chart())),
      m_powers(new QCategoryAxis(&chart())),
      m_log(new QCheckBox(tr("log counts"))) {
    m_series->append(m_bars);
    m_series->setBarWidth(1);
    chart().addSeries(m_series);
    chart().addAxis(m_powers, Qt::AlignLeft);
    chart().addAxis(m_gates, Qt::AlignBottom);
    chart().legend()->hide();
    m_powers->setLabelsPosition(QCategoryAxis::AxisLabelsPositionOnValue);
    m_powers->hide();
    m_gates->setLabelsPosition(QCategoryAxis::AxisLabelsPositionOnValue);
    m_gates->setStartValue(-1);
    m_gates->setGridLineVisible(false);
    m_gates->setTitleText(tr("gate"));
    xAxis().hide();
    m_series->attachAxis(m_gates);
    m_series->attachAxis(&yAxis());
    yAxis().setTitleText(tr("tokens"));
    yAxis().setLabelFormat(QStringLiteral("%.6g"));
    m_log->setObjectName(name + QStringLiteral("_log_chk"));
    m_log->setAccessibleName(tr("Logarithmic counts"));
    addOption(m_log);
    connect(m_log, &QCheckBox::toggled, this, &GateHistogram::showCounts);
    setEmptyText(tr("These statistics hold no histogram of gates."));
    paintSeries();
}

bool GateHistogram::isLogarithmic() const { return m_log->isChecked(); }
void GateHistogram::setLogarithmic(bool isLogarithmic) { m_log->setChecked(isLogarithmic); }

double GateHistogram::heightOf(double count) const {
    if (!isLogarithmic()) return count;
    return count > 0 ? std::log10(count) + heightOfOne : 0;
}

void GateHistogram::setCounts(const std::vector<std::int64_t>& counts) {
    m_counts = counts;
    showCounts();
}

void GateHistogram::showCounts() {
    ChartTable table{{tr("Gate from"), tr("to"), tr("Tokens")}, {}};
    QList<qreal> heights;
    const auto bins = static_cast<double>(m_counts.size());
    for (std::size_t i = 0; i < m_counts.size(); ++i) {
        const auto at = static_cast<double>(i);
        const auto count = static_cast<double>(m_counts[i]);
        heights.append(heightOf(count));
        table.rows.push_back({at / bins, (at + 1) / bins, count});
    }
    m_bars->remove(0, m_bars->count());
    m_bars->append(heights);
    const auto highest = std::max_element(m_counts.begin(), m_counts.end());
    showAxis(highest == m_counts.end() ? 0 : static_cast<double>(*highest));
    setSummary(summary());
    setTable(std::move(table));
}

void GateHistogram::showAxis(double highest) {
    const auto bins = static_cast<double>(std::max<std::size_t>(m_counts.size(), 1));
    for (const QString& label : m_gates->categoriesLabels()) m_gates->remove(label);
    for (const double gate : {0.0, 0.25, 0.5, 0.75, 1.0})
        m_gates->append(QLocale().toString(gate), gate * bins - 0.5);
    m_gates->setRange(-0.5, bins - 0.5);
    const bool isLog = isLogarithmic();
    QAbstractAxis* wanted = isLog ? static_cast<QAbstractAxis*>(m_powers) : &yAxis();
    if (!m_series->attachedAxes().contains(wanted)) {
        m_series->detachAxis(isLog ? static_cast<QAbstractAxis*>(&yAxis()) : m_powers);
        m_series->attachAxis(wanted);
    }
    yAxis().setVisible(!isLog);
    m_powers->setVisible(isLog);
    if (!isLog) return fitFromZero(yAxis(), highest > 0 ? highest : 1);
    for (const QString& label : m_powers->categoriesLabels()) m_powers->remove(label);
    const int powers = std::max(1, static_cast<int>(std::ceil(std::log10(std::max(highest, 2.0)))));
    for (int power = 0; power <= powers; ++power)
        m_powers->append(QLocale().toString(std::pow(10.0, power), 'g', 6), power + heightOfOne);
    m_powers->setRange(0, powers + heightOfOne);
}

QString GateHistogram::summary() const {
    const auto total =
        static_cast<double>(std::accumulate(m_counts.begin(), m_counts.end(), std::int64_t{0}));
    if (m_counts.empty() || total == 0) return tr("No token chose this expert.");
    double weighted = 0;
    double upper = 0;
    for (std::size_t i = 0; i < m_counts.size(); ++i) {
        const double middle = (static_cast<double>(i) + 0.5) / static_cast<double>(m_counts.size());
        weighted += middle * static_cast<double>(m_counts[i]);
        if (middle > 0.5) upper += static_cast<double>(m_counts[i]);
    }
    return tr("%1 tokens chose this expert, with a gate of %2 on average; %3 % of them with more "
              "than one half.")
        .arg(QLocale().toString(static_cast<qlonglong>(total)),
             QLocale().toString(weighted / total, 'f', 2), percentText(upper / total));
}

void GateHistogram::paintSeries() {
    const Colors& c = colors(palette());
    m_bars->setBrush(c.seriesFor(SeriesMeaning::Compressed).color);
    m_bars->setPen(QPen(c.surface, 1));
    m_powers->setTitleText(tr("tokens"));
    for (QCategoryAxis* axis : {m_gates, m_powers}) paintAxis(*axis);
}

}  // namespace espalier::ui
