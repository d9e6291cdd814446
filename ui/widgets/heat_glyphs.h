#pragma once

#include <QPixmap>
#include <array>

#include "ui/models/expert_matrix.h"

class QPainter;

namespace espalier::ui {

/// Draws what the states of a cell mean: pruned = diagonal hatch, merged = two lines that become
/// one, locked = filled dot, protected = ring, forced out = cross, uncertain = dashed outline. A
/// never routed cell is hollow: its ground is not painted at all, the outline is.
void paintGlyphs(QPainter& painter, const QRectF& cell, CellStates states, bool isUncertain,
                 const QColor& ink);

/// The drawn glyphs of every combination that has occurred, for painting many cells of one size.
class GlyphTiles {
public:
    /// Of `ink` dark or light.
    const QPixmap& tile(CellStates states, bool isUncertain, bool isDark);
    /// Forgets what was drawn for other sizes and inks.
    void setUp(int cellSize, double pixelRatio, const QColor& dark, const QColor& light);

private:
    std::array<QPixmap, 256> m_tiles;
    int m_cellSize = 0;
    double m_pixelRatio = 1;
    std::array<QColor, 2> m_inks;
};

}  // namespace espalier::ui
