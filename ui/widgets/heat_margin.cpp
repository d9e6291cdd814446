#include "ui/widgets/heat_margin.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "ui/models/expert_matrix_model.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/heat_header.h"
#include "ui/widgets/heat_view.h"

namespace espalier::ui {
namespace {

constexpr int barWidth = 64;

}  // namespace

HeatMargin::HeatMargin(HeatView& view, QWidget* parent) : QWidget(parent), m_view(view) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Preferred);
    setAccessibleName(tr("Share of each layer's saliency that stays"));
    connect(&view, &HeatView::windowChanged, this, qOverload<>(&QWidget::update));
    const ExpertMatrixModel* model = view.matrixModel();
    connect(model, &ExpertMatrixModel::marksChanged, this, [this] {
        updateGeometry();
        update();
    });
    connect(model, &QAbstractItemModel::layoutChanged, this, qOverload<>(&QWidget::update));
}

int HeatMargin::textWidth() const {
    const ExpertMatrixModel& model = *m_view.matrixModel();
    const QString widest = QStringLiteral("%1/%1").arg(model.matrix().numExperts);
    return QFontMetrics(captionFont(font())).horizontalAdvance(widest);
}

QSize HeatMargin::sizeHint() const {
    return {barWidth + textWidth() + 3 * space::inGroup, 2 * space::controlHeight};
}

QRect HeatMargin::rowRect(int row) const {
    const QPoint top =
        m_view.viewport()->mapTo(&m_view, QPoint(0, m_view.rowViewportPosition(row)));
    return {0, mapFromGlobal(m_view.mapToGlobal(top)).y(), width(), m_view.cellSize()};
}

void HeatMargin::paintBar(QPainter& painter, const QRect& row, double share) const {
    const Colors& c = colors(palette());
    const int gap = row.height() >= 8 ? 2 : 0;
    QRect bar(space::inGroup, row.top() + gap / 2, barWidth, row.height() - std::max(gap, 1));
    painter.fillRect(bar, c.raised);
    const int filled = qRound(barWidth * std::clamp(share, 0.0, 1.0));
    if (layoutDirection() == Qt::RightToLeft) {
        bar.moveRight(width() - space::inGroup);
        bar.setLeft(bar.right() - filled + 1);
    } else {
        bar.setWidth(filled);
    }
    painter.fillRect(bar, c.seriesFor(SeriesMeaning::Compressed).color);
}

void HeatMargin::paintEvent(QPaintEvent*) {
    const ExpertMatrixModel& model = *m_view.matrixModel();
    QPainter painter(this);
    const QRect rows(QPoint(0, mapFromGlobal(m_view.viewport()->mapToGlobal(QPoint(0, 0))).y()),
                     QSize(width(), m_view.viewport()->height()));
    painter.setFont(captionFont(font()));
    painter.setPen(colors(palette()).text2);
    const auto* header = qobject_cast<const HeatHeader*>(m_view.verticalHeader());
    const int distance = header == nullptr ? 1 : header->labelDistance();
    const int lines = painter.fontMetrics().height();
    for (int row = 0; row < model.rowCount(); ++row) {
        const QRect rect = rowRect(row);
        if (!rect.intersects(rows)) continue;
        if (const auto share = model.shareKept(row)) {
            painter.setClipRect(rows);
            paintBar(painter, rect, *share);
            painter.setClipping(false);
        }
        if (row % distance != 0 || !rows.contains(rect.center())) continue;
        QRect text(barWidth + 2 * space::inGroup, rect.center().y() - lines / 2, textWidth(),
                   lines);
        if (layoutDirection() == Qt::RightToLeft) text.moveLeft(space::inGroup);
        painter.drawText(text, Qt::AlignRight | Qt::AlignVCenter | Qt::TextDontClip,
                         model.keptText(row));
    }
}

bool HeatMargin::event(QEvent* event) {
    if (event->type() == QEvent::FontChange) updateGeometry();
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const ExpertMatrixModel& model = *m_view.matrixModel();
    const int row = m_view.rowAt(m_view.viewport()->mapFromGlobal(help->globalPos()).y());
    QToolTip::showText(
        help->globalPos(),
        row < 0 ? QString() : model.headerData(row, Qt::Vertical, Qt::ToolTipRole).toString(),
        this);
    return true;
}

}  // namespace espalier::ui
