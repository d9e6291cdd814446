#include "ui/widgets/heat_header.h"

#include <QAbstractItemView>
#include <QMouseEvent>
#include <QPaintEvent>
#include <QPainter>
#include <algorithm>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {

HeatHeader::HeatHeader(Qt::Orientation orientation, QWidget* parent)
    : QHeaderView(orientation, parent) {
    setSectionsClickable(true);
    setHighlightSections(false);
    setSectionResizeMode(QHeaderView::Fixed);
    setMinimumSectionSize(1);
    setFocusPolicy(Qt::NoFocus);
}

QString HeatHeader::label(int section) const {
    return model()->headerData(section, orientation()).toString();
}

QSize HeatHeader::labelSize() const {
    const QFontMetrics metrics(captionFont(font()));
    const int last = count() - 1;
    const int width = last < 0 ? 0
                               : std::max(metrics.horizontalAdvance(label(0)),
                                          metrics.horizontalAdvance(label(last)));
    return {width, metrics.height()};
}

int HeatHeader::labelDistance() const {
    const QSize size = labelSize();
    const int needed = orientation() == Qt::Horizontal ? size.width() + space::controls
                                                       : size.height() - space::inGroup / 2;
    int distance = 1;
    while (distance * std::max(defaultSectionSize(), 1) < needed) distance *= 2;
    return distance;
}

QSize HeatHeader::sizeHint() const {
    const QSize size = labelSize();
    return {size.width() + space::controls, size.height() + space::controls};
}

bool HeatHeader::event(QEvent* event) {
    if (event->type() == QEvent::FontChange) Q_EMIT geometriesChanged();
    return QHeaderView::event(event);
}

int HeatHeader::sectionUnder(const QMouseEvent& event) const {
    return logicalIndexAt(event.position().toPoint());
}

void HeatHeader::mousePressEvent(QMouseEvent* event) {
    m_pressed = event->button() == Qt::LeftButton ? sectionUnder(*event) : -1;
    m_entered = m_pressed;
    if (m_pressed >= 0) Q_EMIT sectionsChosen(m_pressed, m_pressed, event->modifiers());
}

void HeatHeader::mouseMoveEvent(QMouseEvent* event) {
    const int section = sectionUnder(*event);
    if (m_pressed < 0 || section < 0 || section == m_entered) return;
    m_entered = section;
    Q_EMIT sectionsChosen(m_pressed, section, event->modifiers());
}

void HeatHeader::mouseReleaseEvent(QMouseEvent*) { m_pressed = -1; }

void HeatHeader::paintEvent(QPaintEvent* event) {
    QPainter painter(viewport());
    const Colors& c = colors(palette());
    painter.fillRect(event->rect(), c.raised);
    if (model() == nullptr || count() == 0) return;
    painter.setFont(captionFont(font()));
    const auto* view = qobject_cast<const QAbstractItemView*>(parentWidget());
    const QModelIndex current = view == nullptr ? QModelIndex() : view->currentIndex();
    const bool isHorizontal = orientation() == Qt::Horizontal;
    const int here = !current.isValid() ? -1 : isHorizontal ? current.column() : current.row();
    const int distance = labelDistance();
    for (int section = 0; section < count(); section += distance) {
        if (here >= 0 && section != here && std::abs(section - here) < distance) continue;
        paintLabel(painter, section, section == here);
    }
    if (here >= 0) paintLabel(painter, here, true);
}

int HeatHeader::withinEdges(int section, int middle, int half, int extent) const {
    // Others give way to the edge as they scroll.
    if (section == 0) return std::max(middle, half);
    return section == count() - 1 ? std::min(middle, extent - half) : middle;
}

void HeatHeader::paintLabel(QPainter& painter, int section, bool isCurrent) const {
    const Colors& c = colors(palette());
    const bool isHorizontal = orientation() == Qt::Horizontal;
    const int middle = sectionViewportPosition(section) + sectionSize(section) / 2;
    if (middle < 0 || middle > (isHorizontal ? width() : height())) return;
    QFont font = captionFont(this->font());
    font.setBold(isCurrent);
    painter.setFont(font);
    painter.setPen(isCurrent ? c.text : c.text2);
    const QString text = label(section);
    const QFontMetrics metrics(font);
    if (!isHorizontal) {
        const int half = metrics.height() / 2;
        const int center = withinEdges(section, middle, half, height());
        const QRect row(space::inGroup, center - half, width() - 2 * space::inGroup,
                        metrics.height());
        painter.drawText(row, Qt::AlignRight | Qt::AlignVCenter, text);
        return;
    }
    const int half = metrics.horizontalAdvance(text) / 2 + 1;
    const int center = withinEdges(section, middle, half, width());
    painter.drawText(QRect(center - half, 0, 2 * half, height() - 3),
                     Qt::AlignHCenter | Qt::AlignVCenter | Qt::TextDontClip, text);
    painter.drawLine(middle, height() - 3, middle, height() - 1);
}

}  // namespace espalier::ui
