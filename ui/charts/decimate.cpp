#include "ui/charts/decimate.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace espalier::ui {
namespace {

constexpr qsizetype perColumn = 4;

bool isFinite(const QPointF& point) { return std::isfinite(point.x()) && std::isfinite(point.y()); }

void appendColumn(QList<QPointF>& out, const QList<QPointF>& points, qsizetype begin,
                  qsizetype end) {
    const auto first = points.begin() + begin;
    const auto [least, greatest] =
        std::minmax_element(first, points.begin() + end,
                            [](const QPointF& a, const QPointF& b) { return a.y() < b.y(); });
    std::array<qsizetype, perColumn> chosen{begin, least - points.begin(),
                                            greatest - points.begin(), end - 1};
    std::sort(chosen.begin(), chosen.end());
    const auto last = std::unique(chosen.begin(), chosen.end());
    std::for_each(chosen.begin(), last, [&](qsizetype index) { out.append(points[index]); });
}

}  // namespace

QList<QPointF> decimate(const QList<QPointF>& points, qsizetype maxPoints) {
    QList<QPointF> finite;
    std::copy_if(points.begin(), points.end(), std::back_inserter(finite), isFinite);
    if (finite.size() <= maxPoints) return finite;
    const qsizetype columns = std::max<qsizetype>(1, maxPoints / perColumn);
    QList<QPointF> out;
    for (qsizetype column = 0; column < columns; ++column) {
        appendColumn(out, finite, column * finite.size() / columns,
                     (column + 1) * finite.size() / columns);
    }
    return out;
}

}  // namespace espalier::ui
