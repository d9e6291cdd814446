#include "ui/widgets/heat_overview.h"

#include <QEvent>
#include <QMouseEvent>
#include <QPainter>

#include "ui/models/expert_matrix_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/heat_view.h"

namespace espalier::ui {
namespace {

constexpr int stripHeight = 40;

}  // namespace

HeatOverview::HeatOverview(HeatView& view, QWidget* parent) : QWidget(parent), m_view(view) {
    setObjectName(view.objectName() + QStringLiteral("_overview"));
    setAccessibleName(tr("All experts in one strip"));
    setToolTip(tr("All experts; drag the frame to move what is in view"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setCursor(Qt::PointingHandCursor);
    const ExpertMatrixModel* model = view.matrixModel();
    for (const auto signal : {&ExpertMatrixModel::scaleChanged, &ExpertMatrixModel::marksChanged})
        connect(model, signal, this, &HeatOverview::forgetImage);
    connect(model, &QAbstractItemModel::layoutChanged, this, &HeatOverview::forgetImage);
    connect(model, &QAbstractItemModel::modelReset, this, &HeatOverview::showWhenWide);
    connect(&view, &HeatView::colorMapChanged, this, &HeatOverview::forgetImage);
    connect(&view, &HeatView::windowChanged, this, qOverload<>(&QWidget::update));
    showWhenWide();
}

QSize HeatOverview::sizeHint() const { return {0, stripHeight}; }

void HeatOverview::forgetImage() {
    m_image = {};
    update();
}

void HeatOverview::showWhenWide() {
    forgetImage();
    setVisible(m_view.matrixModel()->columnCount() > mostColumnsWithout);
}

QRect HeatOverview::frame() const {
    const auto [first, last] = m_view.visibleColumns();
    QRect found(QPoint(qRound(first * width()), 0),
                QPoint(qRound(last * width()) - 1, height() - 1));
    if (layoutDirection() == Qt::RightToLeft)
        found.moveLeft(width() - found.width() - found.left());
    return found;
}

void HeatOverview::paintEvent(QPaintEvent*) {
    const ExpertMatrixModel& model = *m_view.matrixModel();
    if (model.rowCount() == 0 || model.columnCount() == 0) return;
    const Colors& c = colors(palette());
    if (m_image.isNull()) {
        HeatWindow all;
        all.lastRow = model.rowCount() - 1;
        all.lastColumn = model.columnCount() - 1;
        all.isMirrored = isRightToLeft();
        m_image = matrixImage(model, all, ColorScale(m_view.shownColorMap(), c), c.surface);
    }
    QPainter painter(this);
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    painter.drawImage(rect(), m_image);
    HeatPainter::paintFocus(painter, frame().adjusted(3, 3, -3, -3), rect(), c);
}

void HeatOverview::moveTo(double x) {
    const double share = x / std::max(width(), 1);
    m_view.showColumns(isRightToLeft() ? 1 - share : share);
}

void HeatOverview::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) moveTo(event->position().x());
}

void HeatOverview::mouseMoveEvent(QMouseEvent* event) {
    if (event->buttons().testFlag(Qt::LeftButton)) moveTo(event->position().x());
}

void HeatOverview::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) forgetImage();
}

}  // namespace espalier::ui
