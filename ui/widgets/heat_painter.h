#pragma once

#include <QItemSelection>
#include <QPainter>
#include <vector>

#include "ui/theme/color_scale.h"
#include "ui/widgets/heat_glyphs.h"

namespace espalier::ui {

class ExpertMatrixModel;

/// The cells to paint, and where the first of them lies.
struct HeatWindow {
    int firstRow = 0;
    int lastRow = -1;
    int firstColumn = 0;
    int lastColumn = -1;
    QRect rect;  ///< of all those cells
    int cellSize = 0;
    bool isMirrored = false;  ///< columns run from right to left

    int rows() const { return lastRow - firstRow + 1; }
    int columns() const { return lastColumn - firstColumn + 1; }
    QRect cell(int row, int column) const;
};

/// One pixel a cell, by column and row of the model; cells without a colour have that of `none`.
QImage matrixImage(const ExpertMatrixModel& model, const HeatWindow& window,
                   const ColorScale& scale, const QColor& none);

/// Paints many cells of an ExpertMatrixModel at once: what 80 000 calls of a delegate would take
/// longer than a frame for.
class HeatPainter {
public:
    void setColorMap(ColorMap map) { m_map = map; }
    ColorMap colorMap() const { return m_map; }

    void paint(QPainter& painter, const ExpertMatrixModel& model, const HeatWindow& window,
               const QPalette& palette);
    /// The outline of what is selected.
    static void paintSelection(QPainter& painter, const QItemSelection& selection,
                               const HeatWindow& window, const Colors& colors);
    /// The ring around the cell with the focus: dark and light, to show on every colour.
    static void paintFocus(QPainter& painter, const QRect& cell, const QRect& area,
                           const Colors& colors);

private:
    class Grounds;

    void paintGrid(QPainter& painter, const HeatWindow& window, const Colors& colors) const;
    void paintGlyphs(QPainter& painter, const ExpertMatrixModel& model, const HeatWindow& window,
                     const Grounds& grounds);
    void paintNumbers(QPainter& painter, const ExpertMatrixModel& model, const HeatWindow& window,
                      const Grounds& grounds) const;

    ColorMap m_map = ColorMap::Viridis;
    GlyphTiles m_tiles;
};

/// From this size on a cell shows its number, see cellNumber().
inline constexpr int leastCellWithNumber = 20;

}  // namespace espalier::ui
