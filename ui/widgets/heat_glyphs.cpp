#include "ui/widgets/heat_glyphs.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

namespace espalier::ui {
namespace {

/// From here on the cell has figures, and dot, ring and cross stand above them.
constexpr double figuresFrom = 20;

/// A square in the cell for dot, ring and cross.
QRectF markRect(const QRectF& cell) {
    if (cell.width() >= figuresFrom) {
        const double side = cell.width() * 0.36;
        return {cell.right() - side - 2, cell.top() + 2, side, side};
    }
    const double inset = cell.width() < 6 ? 0.5 : std::max(1.5, cell.width() * 0.2);
    return cell.adjusted(inset, inset, -inset, -inset);
}

void paintHatch(QPainter& painter, const QRectF& cell, double width) {
    const double distance = std::max(4.0, std::round(cell.width() / 3));
    painter.save();
    painter.setClipRect(cell, Qt::IntersectClip);
    QPen pen = painter.pen();
    pen.setWidthF(width * 0.8);
    painter.setPen(pen);
    for (double x = cell.width() < 8 ? cell.width() : distance; x < 2 * cell.width();
         x += distance) {
        painter.drawLine(QPointF(cell.left() + x, cell.top()),
                         QPointF(cell.left() + x - cell.height(), cell.bottom()));
    }
    painter.restore();
}

/// Two lines that become one.
void paintConfluence(QPainter& painter, const QRectF& mark) {
    painter.drawLine(mark.topLeft(), mark.center());
    painter.drawLine(mark.bottomLeft(), mark.center());
    painter.drawLine(mark.center(), QPointF(mark.right(), mark.center().y()));
}

}  // namespace

void paintGlyphs(QPainter& painter, const QRectF& cell, CellStates states, bool isUncertain,
                 const QColor& ink) {
    const double width = cell.width() < 10 ? 1 : cell.width() / 10;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(ink, width, Qt::SolidLine, Qt::RoundCap));
    painter.setBrush(Qt::NoBrush);
    const QRectF mark = markRect(cell);
    if (states.testFlag(CellState::ForcedOut)) {
        painter.drawLine(mark.topLeft(), mark.bottomRight());
        painter.drawLine(mark.topRight(), mark.bottomLeft());
    } else if (states.testFlag(CellState::Merged)) {
        paintConfluence(painter, mark);
    } else if (states.testFlag(CellState::Pruned)) {
        paintHatch(painter, cell, width);
    }
    if (states.testFlag(CellState::Protected)) painter.drawEllipse(mark);
    if (states.testFlag(CellState::Locked)) {
        const double inset = mark.width() * 0.15;
        painter.setBrush(ink);
        painter.setPen(Qt::NoPen);
        painter.drawEllipse(mark.adjusted(inset, inset, -inset, -inset));
    }
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setBrush(Qt::NoBrush);
    const QRectF outline = cell.adjusted(0, 0, -1, -1);
    if (states.testFlag(CellState::NeverRouted)) {
        painter.setPen(QPen(ink, 1));
        painter.drawRect(outline);
    }
    if (isUncertain) {
        QPen dashes(ink, 1);
        dashes.setDashPattern({2, 2});
        painter.setPen(dashes);
        painter.drawRect(states.testFlag(CellState::NeverRouted) ? outline.adjusted(2, 2, -2, -2)
                                                                 : outline);
    }
    painter.restore();
}

void GlyphTiles::setUp(int cellSize, double pixelRatio, const QColor& dark, const QColor& light) {
    const std::array<QColor, 2> inks{light, dark};
    if (cellSize == m_cellSize && pixelRatio == m_pixelRatio && inks == m_inks) return;
    m_tiles.fill({});
    m_cellSize = cellSize;
    m_pixelRatio = pixelRatio;
    m_inks = inks;
}

const QPixmap& GlyphTiles::tile(CellStates states, bool isUncertain, bool isDark) {
    const auto index =
        static_cast<std::size_t>(states.toInt()) + (isUncertain ? 64U : 0U) + (isDark ? 128U : 0U);
    QPixmap& tile = m_tiles[index];
    if (!tile.isNull()) return tile;
    tile = QPixmap(QSize(m_cellSize, m_cellSize) * m_pixelRatio);
    tile.setDevicePixelRatio(m_pixelRatio);
    tile.fill(Qt::transparent);
    QPainter painter(&tile);
    paintGlyphs(painter, QRectF(0, 0, m_cellSize, m_cellSize), states, isUncertain,
                m_inks[isDark ? 1 : 0]);
    return tile;
}

}  // namespace espalier::ui
