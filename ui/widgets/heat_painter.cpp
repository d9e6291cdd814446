#include "ui/widgets/heat_painter.h"

#include <QImage>
#include <algorithm>
#include <cmath>

#include "ui/models/cell_number.h"
#include "ui/models/expert_matrix_model.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

/// Below, a line between cells would take too much of them.
constexpr int leastCellWithGrid = 8;

bool isBare(const ExpertMatrixModel& model, std::size_t cell) {
    return model.stateAt(cell).testFlag(CellState::NeverRouted) ||
           std::isnan(model.scaled().fraction(cell));
}

/// Which cells of a window are selected.
std::vector<bool> selectedCells(const QItemSelection& selection, const HeatWindow& window) {
    std::vector<bool> cells(static_cast<std::size_t>(window.rows() * window.columns()));
    for (const QItemSelectionRange& range : selection) {
        const int top = std::max(range.top(), window.firstRow);
        const int bottom = std::min(range.bottom(), window.lastRow);
        const int left = std::max(range.left(), window.firstColumn);
        const int right = std::min(range.right(), window.lastColumn);
        for (int row = top; row <= bottom; ++row) {
            for (int column = left; column <= right; ++column) {
                cells[static_cast<std::size_t>((row - window.firstRow) * window.columns() + column -
                                               window.firstColumn)] = true;
            }
        }
    }
    return cells;
}

}  // namespace

/// What lies behind the marks of a cell: a colour of the scale, or the bare surface.
class HeatPainter::Grounds {
public:
    Grounds(const ColorScale& scale, const Colors& colors)
        : m_scale(scale),
          m_colors(colors),
          m_surfaceTakesDark(inkOn(colors.surface, colors) == colors.darkInk) {}

    bool takesDarkInk(const ExpertMatrixModel& model, std::size_t cell) const {
        return isBare(model, cell) ? m_surfaceTakesDark
                                   : m_scale.takesDarkInk(model.scaled().fraction(cell));
    }
    QColor ink(const ExpertMatrixModel& model, std::size_t cell) const {
        return takesDarkInk(model, cell) ? m_colors.darkInk : m_colors.lightInk;
    }
    QColor color(const ExpertMatrixModel& model, std::size_t cell) const {
        return isBare(model, cell) ? m_colors.surface
                                   : QColor(m_scale.color(model.scaled().fraction(cell)));
    }

private:
    const ColorScale& m_scale;
    const Colors& m_colors;
    bool m_surfaceTakesDark;
};

QRect HeatWindow::cell(int row, int column) const {
    const int place = isMirrored ? lastColumn - column : column - firstColumn;
    return {rect.left() + place * cellSize, rect.top() + (row - firstRow) * cellSize, cellSize,
            cellSize};
}

QImage matrixImage(const ExpertMatrixModel& model, const HeatWindow& window,
                   const ColorScale& scale, const QColor& none) {
    QImage image(window.columns(), window.rows(), QImage::Format_RGB32);
    for (int row = 0; row < window.rows(); ++row) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(row));
        for (int place = 0; place < window.columns(); ++place) {
            const int column =
                window.isMirrored ? window.lastColumn - place : window.firstColumn + place;
            const std::size_t cell = model.offsetOf(window.firstRow + row, column);
            line[place] =
                isBare(model, cell) ? none.rgb() : scale.color(model.scaled().fraction(cell));
        }
    }
    return image;
}

void HeatPainter::paint(QPainter& painter, const ExpertMatrixModel& model, const HeatWindow& window,
                        const QPalette& palette) {
    if (window.rows() <= 0 || window.columns() <= 0) return;
    const Colors& c = colors(palette);
    const ColorScale scale(model.scaled().isDiverging() ? ColorMap::Diverging : m_map, c);
    painter.drawImage(window.rect, matrixImage(model, window, scale, c.surface));
    if (window.cellSize >= leastCellWithGrid) paintGrid(painter, window, c);
    m_tiles.setUp(window.cellSize, painter.device()->devicePixelRatioF(), c.darkInk, c.lightInk);
    const Grounds grounds(scale, c);
    paintGlyphs(painter, model, window, grounds);
    if (window.cellSize >= leastCellWithNumber) paintNumbers(painter, model, window, grounds);
}

void HeatPainter::paintGrid(QPainter& painter, const HeatWindow& window, const Colors& c) const {
    for (int row = 1; row <= window.rows(); ++row) {
        painter.fillRect(QRect(window.rect.left(), window.rect.top() + row * window.cellSize - 1,
                               window.rect.width(), 1),
                         c.surface);
    }
    for (int place = 1; place <= window.columns(); ++place) {
        painter.fillRect(QRect(window.rect.left() + place * window.cellSize - 1, window.rect.top(),
                               1, window.rect.height()),
                         c.surface);
    }
}

void HeatPainter::paintGlyphs(QPainter& painter, const ExpertMatrixModel& model,
                              const HeatWindow& window, const Grounds& grounds) {
    for (int row = window.firstRow; row <= window.lastRow; ++row) {
        for (int column = window.firstColumn; column <= window.lastColumn; ++column) {
            const std::size_t cell = model.offsetOf(row, column);
            const CellStates states = model.stateAt(cell);
            const bool isUncertain = model.isUncertain(cell);
            if (!isUncertain && states == CellStates()) continue;
            painter.drawPixmap(
                window.cell(row, column).topLeft(),
                m_tiles.tile(states, isUncertain, grounds.takesDarkInk(model, cell)));
        }
    }
}

void HeatPainter::paintNumbers(QPainter& painter, const ExpertMatrixModel& model,
                               const HeatWindow& window, const Grounds& grounds) const {
    const ScaledMatrix& scaled = model.scaled();
    const int exponent = cellExponent(scaled);
    QFont font = painter.font();
    font.setPixelSize(window.cellSize / 2);
    painter.setFont(font);
    const QFontMetrics metrics(font);
    for (int row = window.firstRow; row <= window.lastRow; ++row) {
        for (int column = window.firstColumn; column <= window.lastColumn; ++column) {
            const std::size_t cell = model.offsetOf(row, column);
            const QString number = cellNumber(scaled.shown(cell), exponent, scaled.scale());
            if (number.isEmpty()) continue;
            const QRect rect = window.cell(row, column);
            if (model.stateAt(cell).testFlag(CellState::Pruned)) {
                // Not across the hatch.
                const QSize size(metrics.horizontalAdvance(number) + 2, metrics.ascent());
                painter.fillRect(
                    QRect(QPoint(rect.left() + 1, rect.bottom() - size.height() - 1), size),
                    grounds.color(model, cell));
            }
            painter.setPen(grounds.ink(model, cell));
            painter.drawText(rect.adjusted(2, 0, -2, -1), Qt::AlignLeft | Qt::AlignBottom, number);
        }
    }
}

void HeatPainter::paintSelection(QPainter& painter, const QItemSelection& selection,
                                 const HeatWindow& window, const Colors& c) {
    if (selection.isEmpty() || window.rows() <= 0 || window.columns() <= 0) return;
    const std::vector<bool> cells = selectedCells(selection, window);
    const auto isSelected = [&](int row, int column) {
        if (row < window.firstRow || row > window.lastRow || column < window.firstColumn ||
            column > window.lastColumn)
            return false;
        return static_cast<bool>(cells[static_cast<std::size_t>(
            (row - window.firstRow) * window.columns() + column - window.firstColumn)]);
    };
    QList<QLine> lines;
    for (int row = window.firstRow; row <= window.lastRow; ++row) {
        for (int column = window.firstColumn; column <= window.lastColumn; ++column) {
            if (!isSelected(row, column)) continue;
            const QRect rect = window.cell(row, column);
            const int before = window.isMirrored ? 1 : -1;
            if (!isSelected(row - 1, column)) lines.append({rect.topLeft(), rect.topRight()});
            if (!isSelected(row + 1, column)) lines.append({rect.bottomLeft(), rect.bottomRight()});
            if (!isSelected(row, column + before))
                lines.append({rect.topLeft(), rect.bottomLeft()});
            if (!isSelected(row, column - before))
                lines.append({rect.topRight(), rect.bottomRight()});
        }
    }
    // The accent would be lost on some colours of a scale; these two are far from each other.
    painter.setPen(QPen(c.surface, 4));
    painter.drawLines(lines);
    painter.setPen(QPen(c.text, 2));
    painter.drawLines(lines);
}

void HeatPainter::paintFocus(QPainter& painter, const QRect& cell, const QRect& area,
                             const Colors& c) {
    const int ring = space::focusRing;
    painter.setBrush(Qt::NoBrush);
    // Around the cell, but never beyond the edge.
    const QRect around =
        cell.adjusted(-ring, -ring, ring - 1, ring - 1) & area.adjusted(1, 1, -2, -2);
    painter.setPen(QPen(c.surface, ring + 2, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(around);
    painter.setPen(QPen(c.accent, ring, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter.drawRect(around);
}

}  // namespace espalier::ui
