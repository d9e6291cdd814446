#pragma once

#include <QList>
#include <QPointF>

namespace espalier::ui {

inline constexpr qsizetype maxDrawnPoints = 2000;

/// At most `maxPoints` of the points, which ascend in x: of each column of the drawing the first,
/// the least, the greatest and the last, so that a spike never vanishes. Points that are not finite
/// are left out.
QList<QPointF> decimate(const QList<QPointF>& points, qsizetype maxPoints = maxDrawnPoints);

}  // namespace espalier::ui
