#include "ui/widgets/heat_view.h"

#include <QKeyEvent>
#include <QLabel>
#include <QPaintEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>

#include "ui/models/expert_matrix_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/heat_header.h"

namespace espalier::ui {
namespace {

constexpr std::chrono::milliseconds focusTipDelay{500};

}  // namespace

HeatView::HeatView(const QString& name, QWidget* parent)
    : QTableView(parent), m_columnWord(new QLabel(this)) {
    setObjectName(name);
    setAccessibleName(tr("Experts of each layer"));
    setAccessibleDescription(
        tr("Space keeps or prunes, L locks, P forces out, C clears, Enter opens the expert, * "
           "selects all with the same state, F fits all in."));
    useHeader(Qt::Horizontal);
    useHeader(Qt::Vertical);
    setShowGrid(false);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
    setSelectionBehavior(QAbstractItemView::SelectItems);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setTabKeyNavigation(false);
    setCornerButtonEnabled(false);
    m_columnWord->setAlignment(Qt::AlignCenter);
    m_columnWord->setForegroundRole(QPalette::Text);
    m_columnWord->setAutoFillBackground(true);
    m_columnWord->setBackgroundRole(QPalette::Button);
    m_focusTip.setSingleShot(true);
    m_focusTip.setInterval(focusTipDelay);
    connect(&m_focusTip, &QTimer::timeout, this, &HeatView::showFocusTip);
    setCellSize(m_cellSize);
}

void HeatView::useHeader(Qt::Orientation orientation) {
    auto* header = new HeatHeader(orientation, this);
    connect(header, &HeatHeader::sectionsChosen, this,
            [this, orientation](int from, int to, Qt::KeyboardModifiers modifiers) {
                chooseSections(orientation, from, to, modifiers);
            });
    orientation == Qt::Vertical ? setVerticalHeader(header) : setHorizontalHeader(header);
}

void HeatView::chooseSections(Qt::Orientation orientation, int from, int to,
                              Qt::KeyboardModifiers modifiers) {
    const bool isRow = orientation == Qt::Vertical;
    const int rows = m_matrix->rowCount();
    const int columns = m_matrix->columnCount();
    const QModelIndex before = currentIndex();
    const bool goesOn = modifiers.testFlag(Qt::ShiftModifier) && before.isValid();
    if (goesOn) from = isRow ? before.row() : before.column();
    const auto [first, last] = std::minmax(from, to);
    const QItemSelection chosen(
        m_matrix->index(isRow ? first : 0, isRow ? 0 : first),
        m_matrix->index(isRow ? last : rows - 1, isRow ? columns - 1 : last));
    if (!goesOn) {
        // The focus stays in the columns or rows that are in view.
        const int across = before.isValid() ? (isRow ? before.column() : before.row()) : 0;
        selectionModel()->setCurrentIndex(
            m_matrix->index(isRow ? from : across, isRow ? across : from),
            QItemSelectionModel::NoUpdate);
    }
    selectionModel()->select(chosen, modifiers.testFlag(Qt::ControlModifier)
                                         ? QItemSelectionModel::Select
                                         : QItemSelectionModel::ClearAndSelect);
}

void HeatView::setMatrixModel(ExpertMatrixModel* model) {
    m_matrix = model;
    setModel(model);
    connect(model, &ExpertMatrixModel::scaleChanged, viewport(), qOverload<>(&QWidget::update));
    connect(model, &QAbstractItemModel::layoutChanged, this, &HeatView::showColumnWord);
    connect(model, &QAbstractItemModel::headerDataChanged, this, &HeatView::showColumnWord);
    connect(model, &QAbstractItemModel::modelReset, this, &HeatView::showColumnWord);
    showColumnWord();
}

void HeatView::showColumnWord() {
    if (m_matrix == nullptr) return;
    m_columnWord->setText(m_matrix->columnWord());
    updateGeometries();
}

void HeatView::setCellSize(int pixels) {
    const int size = std::clamp(pixels, leastCell, mostCell);
    const bool isNew = size != m_cellSize;
    m_cellSize = size;
    for (QHeaderView* header : {horizontalHeader(), verticalHeader()}) {
        header->setMinimumSectionSize(1);
        header->setDefaultSectionSize(size);
    }
    if (!isNew) return;
    updateGeometries();  // the headers do not tell of another default
    if (currentIndex().isValid()) scrollTo(currentIndex());
    Q_EMIT cellSizeChanged(size);
    Q_EMIT windowChanged();
}

void HeatView::fit() {
    if (m_matrix == nullptr || m_matrix->rowCount() == 0) return;
    const QSize room = maximumViewportSize();
    setCellSize(
        std::min(room.width() / m_matrix->columnCount(), room.height() / m_matrix->rowCount()));
}

void HeatView::setColorMap(ColorMap map) {
    m_painter.setColorMap(map);
    viewport()->update();
    Q_EMIT colorMapChanged();
}

ColorMap HeatView::shownColorMap() const {
    return m_matrix->scaled().isDiverging() ? ColorMap::Diverging : colorMap();
}

QPoint HeatView::cellCenter(int row, int column) const {
    return {columnViewportPosition(column) + m_cellSize / 2,
            rowViewportPosition(row) + m_cellSize / 2};
}

QList<ExpertCell> HeatView::chosenCells() const {
    QList<ExpertCell> cells;
    if (m_matrix == nullptr) return cells;
    QModelIndexList chosen = selectionModel()->selectedIndexes();
    if (chosen.isEmpty() && currentIndex().isValid()) chosen = {currentIndex()};
    std::sort(chosen.begin(), chosen.end());
    for (const QModelIndex& index : chosen) cells.append(m_matrix->cellAt(index));
    return cells;
}

void HeatView::choose(const QList<ExpertCell>& cells) {
    QItemSelection selection;
    for (const ExpertCell& cell : cells) {
        const QModelIndex index = m_matrix->indexOf(cell);
        if (index.isValid()) selection.select(index, index);
    }
    if (selection.isEmpty()) return clearSelection();
    selectionModel()->setCurrentIndex(selection.first().topLeft(), QItemSelectionModel::NoUpdate);
    selectionModel()->select(selection, QItemSelectionModel::ClearAndSelect);
}

void HeatView::chooseSameState() {
    if (m_matrix == nullptr || !currentIndex().isValid()) return;
    const auto stateOf = [this](int row, int column) {
        return m_matrix->stateAt(m_matrix->offsetOf(row, column));
    };
    const CellStates wanted = stateOf(currentIndex().row(), currentIndex().column());
    QItemSelection selection;
    const int columns = m_matrix->columnCount();
    for (int row = 0; row < m_matrix->rowCount(); ++row) {
        for (int begin = 0; begin < columns; ++begin) {
            int end = begin;  // one range for neighbours
            while (end < columns && stateOf(row, end) == wanted) ++end;
            if (end == begin) continue;
            selection.append(
                QItemSelectionRange(m_matrix->index(row, begin), m_matrix->index(row, end - 1)));
            begin = end;
        }
    }
    selectionModel()->select(selection, QItemSelectionModel::ClearAndSelect);
}

std::pair<double, double> HeatView::visibleColumns() const {
    const double all = horizontalHeader()->length();
    if (all <= 0) return {0, 1};
    const double first = horizontalHeader()->offset() / all;
    return {first, std::min(1.0, first + viewport()->width() / all)};
}

void HeatView::showColumns(double middle) {
    const double all = horizontalHeader()->length();
    horizontalScrollBar()->setValue(qRound(middle * all - viewport()->width() / 2.0));
}

HeatWindow HeatView::windowOf(const QRect& rect) const {
    HeatWindow window;
    if (m_matrix == nullptr || m_matrix->rowCount() == 0 || m_matrix->columnCount() == 0)
        return window;
    window.cellSize = m_cellSize;
    window.isMirrored = isRightToLeft();
    // Beyond the last cell there is none.
    const auto orElse = [](int found, int end) { return found < 0 ? end : found; };
    window.firstRow = orElse(rowAt(rect.top()), 0);
    window.lastRow = orElse(rowAt(rect.bottom()), m_matrix->rowCount() - 1);
    const int start = window.isMirrored ? rect.right() : rect.left();
    const int end = window.isMirrored ? rect.left() : rect.right();
    window.firstColumn = orElse(columnAt(start), 0);
    window.lastColumn = orElse(columnAt(end), m_matrix->columnCount() - 1);
    const int left = window.isMirrored ? window.lastColumn : window.firstColumn;
    window.rect = QRect(columnViewportPosition(left), rowViewportPosition(window.firstRow),
                        window.columns() * m_cellSize, window.rows() * m_cellSize);
    return window;
}

void HeatView::paintEvent(QPaintEvent* event) {
    QPainter painter(viewport());
    const Colors& c = colors(palette());
    painter.fillRect(event->rect(), c.surface);
    // A cell more on each side: its neighbours decide where the outline of a selection runs.
    const int more = m_cellSize + 1;
    const HeatWindow window = windowOf(event->rect().adjusted(-more, -more, more, more));
    if (window.rows() <= 0 || window.columns() <= 0) return;
    m_painter.paint(painter, *m_matrix, window, palette());
    HeatPainter::paintSelection(painter, selectionModel()->selection(), window, c);
    if (hasFocus() && currentIndex().isValid())
        HeatPainter::paintFocus(painter, visualRect(currentIndex()), viewport()->rect(), c);
}

bool HeatView::ask(int key) {
    const QList<ExpertCell> cells = chosenCells();
    if (cells.isEmpty()) return false;
    switch (key) {
        case Qt::Key_Space:
            Q_EMIT toggleRequested(cells);
            return true;
        case Qt::Key_L:
            Q_EMIT lockRequested(cells);
            return true;
        case Qt::Key_P:
            Q_EMIT forceOutRequested(cells);
            return true;
        case Qt::Key_C:
            Q_EMIT clearRequested(cells);
            return true;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            activate(currentIndex());
            return true;
        default:
            return false;
    }
}

void HeatView::showFocusTip() {
    if (!hasFocus() || !currentIndex().isValid()) return;
    const QRect cell = visualRect(currentIndex());
    QToolTip::showText(viewport()->mapToGlobal(cell.bottomRight()),
                       currentIndex().data(Qt::ToolTipRole).toString(), viewport(), cell);
}

void HeatView::keyPressEvent(QKeyEvent* event) {
    m_focusTip.stop();
    if (event->key() == Qt::Key_Escape && QToolTip::isVisible()) return QToolTip::hideText();
    // Which keys bear * differs from one keyboard to another.
    const bool isStar = event->text() == QLatin1String("*");
    const auto modifiers = event->modifiers() & ~Qt::KeypadModifier;
    if (isStar) return chooseSameState();
    if (modifiers != Qt::NoModifier) return QTableView::keyPressEvent(event);
    if (event->key() == Qt::Key_F) return fit();
    if (event->key() == Qt::Key_Escape && selectionModel() != nullptr &&
        selectionModel()->hasSelection())
        return clearSelection();
    if (ask(event->key())) return event->accept();
    const QModelIndex before = currentIndex();
    QTableView::keyPressEvent(event);
    if (currentIndex() != before) m_focusTip.start();
}

void HeatView::wheelEvent(QWheelEvent* event) {
    if (!event->modifiers().testFlag(Qt::ControlModifier)) return QTableView::wheelEvent(event);
    const int steps = event->angleDelta().y();
    if (steps != 0) setCellSize(m_cellSize + (steps > 0 ? 1 : -1));
    event->accept();
}

void HeatView::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) activate(indexAt(event->pos()));
}

void HeatView::activate(const QModelIndex& index) {
    if (!index.isValid()) return;
    const ExpertCell cell = m_matrix->cellAt(index);
    Q_EMIT expertActivated(cell.layer, cell.expert);
}

void HeatView::currentChanged(const QModelIndex& current, const QModelIndex& previous) {
    QTableView::currentChanged(current, previous);
    viewport()->update();  // the ring lies outside its cell
    horizontalHeader()->viewport()->update();
    verticalHeader()->viewport()->update();
    if (!current.isValid()) return;
    const ExpertCell cell = m_matrix->cellAt(current);
    Q_EMIT currentExpertChanged(cell.layer, cell.expert);
}

void HeatView::selectionChanged(const QItemSelection& selected, const QItemSelection& deselected) {
    QTableView::selectionChanged(selected, deselected);
    viewport()->update();  // outlines of neighbours change too
}

void HeatView::scrollContentsBy(int dx, int dy) {
    QTableView::scrollContentsBy(dx, dy);
    viewport()->update();  // the ring of a cell at the edge must not be torn
    Q_EMIT windowChanged();
}

void HeatView::updateGeometries() {
    // The corner says what the columns count, so it must have room for the word.
    const int word = m_columnWord->sizeHint().width() + space::controls;
    verticalHeader()->setMinimumWidth(word);
    QTableView::updateGeometries();
    const QRect rows = verticalHeader()->geometry();
    const QRect columns = horizontalHeader()->geometry();
    m_columnWord->setGeometry(rows.left(), columns.top(), rows.width(), columns.height());
    m_columnWord->setFont(captionFont(font()));
    limitHeight();
    Q_EMIT windowChanged();
}

void HeatView::limitHeight() {
    if (m_matrix == nullptr || m_matrix->rowCount() == 0) return;
    const int rows = m_matrix->rowCount() * mostCell;
    const int edges = horizontalHeader()->sizeHint().height() +
                      horizontalScrollBar()->sizeHint().height() + 2 * frameWidth();
    setMaximumHeight(std::max(rows + edges, minimumHeight()));
}

void HeatView::changeEvent(QEvent* event) {
    QTableView::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::LayoutDirectionChange)
        updateGeometries();
}

}  // namespace espalier::ui
