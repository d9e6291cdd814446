#include "ui/charts/frontier_chart.h"

#include <QAccessible>
#include <QChart>
#include <QChartView>
#include <QKeyEvent>
#include <QLegend>
#include <QLegendMarker>
#include <QLineSeries>
#include <QLocale>
#include <QScatterSeries>
#include <QToolTip>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/charts/axis_fit.h"
#include "ui/theme/colors.h"

namespace espalier::ui {
namespace {

constexpr double markerSize = 12;

QString numberText(double value) { return QLocale().toString(value, 'g', 3); }

/// Measured points that no other beats both in size and in divergence.
QList<QPointF> frontierOf(const std::vector<FrontierPoint>& points) {
    QList<QPointF> best;
    double least = std::numeric_limits<double>::infinity();
    for (const FrontierPoint& point : points) {
        if (!point.isMeasured || point.kl >= least) continue;
        least = point.kl;
        best.append({point.x, point.kl});
    }
    return best;
}

}  // namespace

FrontierChart::FrontierChart(const QString& name, QWidget* parent)
    : ChartPanel(name, tr("Plans tried: what they cost, what they keep"), parent),
      m_frontier(new QLineSeries),
      m_measured(new QScatterSeries),
      m_predicted(new QScatterSeries),
      m_current(new QScatterSeries),
      m_ring(new QScatterSeries) {
    for (QXYSeries* series :
         {static_cast<QXYSeries*>(m_frontier), static_cast<QXYSeries*>(m_current),
          static_cast<QXYSeries*>(m_ring), static_cast<QXYSeries*>(m_predicted),
          static_cast<QXYSeries*>(m_measured)}) {
        chart().addSeries(series);
        series->attachAxis(&xAxis());
        series->attachAxis(&yAxis());
        connect(series, &QXYSeries::clicked, this, &FrontierChart::activateAt);
    }
    chart().legend()->setMarkerShape(QLegend::MarkerShapeFromSeries);
    m_frontier->setName(tr("best"));
    m_measured->setName(tr("measured"));
    m_predicted->setName(tr("≈ predicted"));
    m_current->setName(tr("this plan"));
    for (QLegendMarker* marker : chart().legend()->markers(m_ring)) marker->setVisible(false);
    for (QScatterSeries* points : {m_measured, m_predicted}) {
        connect(points, &QXYSeries::hovered, this, [this](const QPointF& value, bool isOver) {
            const auto found = std::find_if(
                m_points.begin(), m_points.end(),
                [&](const FrontierPoint& p) { return p.x == value.x() && p.kl == value.y(); });
            if (isOver && found != m_points.end())
                QToolTip::showText(QCursor::pos(), textOf(*found), this);
        });
    }
    xAxis().setLabelFormat(QStringLiteral("%.4g"));
    yAxis().setLabelFormat(QStringLiteral("%.3g"));
    yAxis().setTitleText(tr("KL, nats"));
    setAxis(tr("size, GB"));
    view().installEventFilter(this);
    setEmptyText(tr("No plan has been measured yet. “Measure now” adds the first point."));
    paintSeries();
}

void FrontierChart::setAxis(const QString& title) {
    m_axis = title;
    xAxis().setTitleText(title);
}

void FrontierChart::setPoints(std::vector<FrontierPoint> points) {
    points.erase(std::remove_if(points.begin(), points.end(),
                                [](const FrontierPoint& point) {
                                    return !std::isfinite(point.x) || !std::isfinite(point.kl);
                                }),
                 points.end());
    std::stable_sort(points.begin(), points.end(),
                     [](const auto& a, const auto& b) { return a.x < b.x; });
    const int focused = m_focus < m_points.size() ? m_points[m_focus].id : 0;
    m_points = std::move(points);
    m_focus = 0;
    ChartTable table{{tr("Plan"), m_axis, tr("KL"), tr("Measured"), tr("In force")}, {}, {}};
    QList<QPointF> measured;
    QList<QPointF> predicted;
    QList<QPointF> current;
    double highest = 0;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const FrontierPoint& point = m_points[i];
        if (point.id == focused) m_focus = i;
        (point.isMeasured ? measured : predicted).append({point.x, point.kl});
        if (point.isCurrent) current.append({point.x, point.kl});
        highest = std::max(highest, point.kl);
        table.names.append(point.name);
        table.rows.push_back(
            {point.x, point.kl, point.isMeasured ? 1.0 : 0.0, point.isCurrent ? 1.0 : 0.0});
    }
    m_measured->replace(measured);
    m_predicted->replace(predicted);
    m_current->replace(current);
    m_frontier->replace(frontierOf(m_points));
    if (!m_points.empty()) {
        const double margin = (m_points.back().x - m_points.front().x) * 0.05;
        fitBetween(xAxis(), m_points.front().x - margin, m_points.back().x + margin);
    }
    fitFromZero(yAxis(), highest > 0 ? highest * 1.05 : 1);
    setTable(std::move(table));
    showFocus();
}

QString FrontierChart::textOf(const FrontierPoint& point) const {
    const QString kl = numberText(point.kl);
    const QString text = tr("%1: %2 %3, KL %4", "plan, axis, number, number")
                             .arg(point.name, m_axis, numberText(point.x),
                                  point.isMeasured ? kl : tr("≈ %1").arg(kl));
    return point.isCurrent ? tr("%1, the plan in force").arg(text) : text;
}

QString FrontierChart::summary() const {
    if (m_points.empty()) return {};
    const auto numMeasured = std::count_if(m_points.begin(), m_points.end(),
                                           [](const auto& point) { return point.isMeasured; });
    return tr("%1 plans measured, %2 predicted. Point %3 of %4: %5. Enter goes back to it.")
        .arg(numMeasured)
        .arg(static_cast<std::ptrdiff_t>(m_points.size()) - numMeasured)
        .arg(m_focus + 1)
        .arg(m_points.size())
        .arg(textOf(m_points[m_focus]));
}

void FrontierChart::showFocus() {
    const bool hasRing = view().hasFocus() && m_focus < m_points.size();
    m_ring->replace(hasRing ? QList<QPointF>{{m_points[m_focus].x, m_points[m_focus].kl}}
                            : QList<QPointF>{});
    setSummary(summary());
}

void FrontierChart::moveFocus(int steps) {
    if (m_points.empty()) return;
    const auto last = static_cast<std::ptrdiff_t>(m_points.size()) - 1;
    m_focus = static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(m_focus) + steps, 0, last));
    showFocus();
    QAccessibleEvent told(&view(), QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&told);
}

bool FrontierChart::takeKey(int key) {
    switch (key) {
        case Qt::Key_Left:
            moveFocus(-1);
            return true;
        case Qt::Key_Right:
            moveFocus(1);
            return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_focus >= m_points.size()) return false;
            Q_EMIT pointActivated(m_points[m_focus].id);
            return true;
        default:
            return false;
    }
}

bool FrontierChart::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->modifiers() == Qt::NoModifier && takeKey(key->key())) return true;
    }
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) showFocus();
    return ChartPanel::eventFilter(watched, event);
}

void FrontierChart::activateAt(const QPointF& value) {
    // The pointer's value, not the point's: the nearest in the drawing.
    const QPointF at = chart().mapToPosition(value, m_measured);
    double least = markerSize;
    int found = 0;
    for (std::size_t i = 0; i < m_points.size(); ++i) {
        const QPointF way = chart().mapToPosition({m_points[i].x, m_points[i].kl}, m_measured) - at;
        const double distance = std::hypot(way.x(), way.y());
        if (distance > least) continue;
        least = distance;
        found = m_points[i].id;
        m_focus = i;
    }
    if (found == 0) return;
    showFocus();
    Q_EMIT pointActivated(found);
}

QPointF FrontierChart::placeOf(int id) const {
    const auto point = std::find_if(m_points.begin(), m_points.end(),
                                    [id](const FrontierPoint& p) { return p.id == id; });
    if (point == m_points.end()) return {};
    return view().mapFromScene(
        chart().mapToScene(chart().mapToPosition({point->x, point->kl}, m_measured)));
}

void FrontierChart::paintSeries() {
    const Colors& c = colors(palette());
    const QColor color = c.seriesFor(SeriesMeaning::Compressed).color;
    for (QScatterSeries* points : {m_measured, m_predicted}) {
        points->setMarkerShape(QScatterSeries::MarkerShapeCircle);
        points->setMarkerSize(markerSize);
        points->setPen(QPen(color, 2));
    }
    m_measured->setBrush(color);
    m_predicted->setBrush(c.surface);
    m_frontier->setPen(QPen(c.seriesFor(SeriesMeaning::Original).color, 1, Qt::DashLine));
    m_current->setMarkerShape(QScatterSeries::MarkerShapeRotatedRectangle);
    m_current->setMarkerSize(markerSize + 12);
    m_current->setBrush(Qt::NoBrush);
    m_current->setPen(QPen(c.seriesFor(SeriesMeaning::Limit).color, 2));
    m_ring->setMarkerSize(markerSize + 8);
    m_ring->setBrush(Qt::NoBrush);
    m_ring->setPen(QPen(c.accent, 2));
}

}  // namespace espalier::ui
