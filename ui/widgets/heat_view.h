#pragma once

#include <QTableView>
#include <QTimer>

#include "ui/models/expert_matrix.h"
#include "ui/widgets/heat_painter.h"

class QLabel;

namespace espalier::ui {

class ExpertMatrixModel;

/// The experts of a model as coloured cells. A table with the selection, keys and accessibility of
/// one, that paints all its visible cells in one go. It edits nothing: it says what was asked for.
class HeatView : public QTableView {
    Q_OBJECT

public:
    static constexpr int leastCell = 4;
    static constexpr int mostCell = 24;

    explicit HeatView(const QString& name, QWidget* parent = nullptr);

    void setMatrixModel(ExpertMatrixModel* model);
    ExpertMatrixModel* matrixModel() const { return m_matrix; }

    int cellSize() const { return m_cellSize; }
    /// Limited to 4 to 24 pixels; the cell with the focus stays in view.
    void setCellSize(int pixels);
    /// The greatest cells with which all of them show, not under 4 pixels.
    void fit();
    /// For what is not a difference.
    void setColorMap(ColorMap map);
    ColorMap colorMap() const { return m_painter.colorMap(); }
    /// That one, or the diverging colours for differences.
    ColorMap shownColorMap() const;

    /// In the coordinates of the viewport.
    QPoint cellCenter(int row, int column) const;
    /// What is selected, else the cell with the focus; in reading order.
    QList<ExpertCell> chosenCells() const;
    /// Selects these and no others, and brings the first into view.
    void choose(const QList<ExpertCell>& cells);
    /// Selects all cells with the same states as the one with the focus.
    void chooseSameState();
    /// The part of all columns that is in view, 0 to 1.
    std::pair<double, double> visibleColumns() const;
    void showColumns(double middle);

Q_SIGNALS:
    void toggleRequested(const QList<espalier::ui::ExpertCell>& cells);
    void lockRequested(const QList<espalier::ui::ExpertCell>& cells);
    void forceOutRequested(const QList<espalier::ui::ExpertCell>& cells);
    void clearRequested(const QList<espalier::ui::ExpertCell>& cells);
    /// Enter or a double click.
    void expertActivated(qint64 layer, int expert);
    /// The focus went to another cell.
    void currentExpertChanged(qint64 layer, int expert);
    void cellSizeChanged(int pixels);
    void colorMapChanged();
    /// Other columns or rows came into view.
    void windowChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void changeEvent(QEvent* event) override;
    void currentChanged(const QModelIndex& current, const QModelIndex& previous) override;
    void selectionChanged(const QItemSelection& selected,
                          const QItemSelection& deselected) override;
    void scrollContentsBy(int dx, int dy) override;
    void updateGeometries() override;
    /// Letters are commands here, not a search.
    void keyboardSearch(const QString& text) override { Q_UNUSED(text) }

private:
    void useHeader(Qt::Orientation orientation);
    /// Whole rows or columns; Shift goes on from the cell with the focus, Ctrl adds.
    void chooseSections(Qt::Orientation orientation, int from, int to,
                        Qt::KeyboardModifiers modifiers);
    HeatWindow windowOf(const QRect& rect) const;
    /// True if the key was a command on cells.
    bool ask(int key);
    void activate(const QModelIndex& index);
    void showColumnWord();
    /// Few layers need little height: what is left is better used elsewhere.
    void limitHeight();
    /// The tooltip of the cell with the focus, for who has no pointer.
    void showFocusTip();

    ExpertMatrixModel* m_matrix = nullptr;
    HeatPainter m_painter;
    QLabel* m_columnWord;
    QTimer m_focusTip;
    int m_cellSize = 12;
};

}  // namespace espalier::ui
