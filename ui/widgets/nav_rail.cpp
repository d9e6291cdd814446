#include "ui/widgets/nav_rail.h"

#include <QEvent>
#include <QPainter>
#include <QStyledItemDelegate>
#include <algorithm>

#include "ui/models/roles.h"
#include "ui/theme/colors.h"
#include "ui/theme/icons.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr int railIconSize = 24;
constexpr int leastWidth = 72;
constexpr int IconNameRole = Qt::UserRole + 2;
constexpr int UnseenRole = Qt::UserRole + 3;

class RailDelegate : public QStyledItemDelegate {
public:
    explicit RailDelegate(NavRail& rail) : QStyledItemDelegate(&rail), m_rail(rail) {}

    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
        const int text = m_rail.showsText() ? option.fontMetrics.height() + space::inGroup : 0;
        return {10, railIconSize + text + 2 * space::controls};
    }

    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        const Colors& c = colors(option.palette);
        const bool isSelected = option.state.testFlag(QStyle::State_Selected);
        const bool isFocused = isSelected && m_rail.hasFocus();
        const QRect cell = option.rect.adjusted(space::inGroup, 1, -space::inGroup, -1);
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        if (isSelected || option.state.testFlag(QStyle::State_MouseOver)) {
            painter->setPen(isFocused ? QPen(c.accent, space::focusRing) : QPen(Qt::NoPen));
            painter->setBrush(isSelected ? c.surface : c.bg);
            painter->drawRoundedRect(cell.adjusted(1, 1, -1, -1), space::cornerRadius,
                                     space::cornerRadius);
        }
        if (isSelected) {
            painter->fillRect(QRect(option.rect.left(), cell.top() + 6, 3, cell.height() - 12),
                              c.accent);
        }
        const QIcon icon = index.data(Qt::DecorationRole).value<QIcon>();
        const QRect picture(cell.center().x() - railIconSize / 2,
                            option.rect.top() + space::controls, railIconSize, railIconSize);
        icon.paint(painter, picture);
        if (m_rail.showsText()) {
            painter->setPen(isSelected ? c.text : c.text2);
            const QRect text(cell.left(), picture.bottom() + 1, cell.width(),
                             option.fontMetrics.height() + space::inGroup);
            painter->drawText(text, Qt::AlignCenter, index.data(Qt::DisplayRole).toString());
        }
        if (index.data(UnseenRole).toInt() > 0) {
            painter->setPen(QPen(c.raised, 2));
            painter->setBrush(c.accent);
            painter->drawEllipse(picture.topRight() + QPoint(1, 1), 5, 5);
        }
        painter->restore();
    }

private:
    NavRail& m_rail;
};

}  // namespace

NavRail::NavRail(QWidget* parent) : QListWidget(parent) {
    setObjectName(QStringLiteral("navRail"));
    setAccessibleName(tr("Pages"));
    setItemDelegate(new RailDelegate(*this));
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setSelectionMode(QAbstractItemView::SingleSelection);
    setMouseTracking(true);
    setUniformItemSizes(false);
    setTabKeyNavigation(false);
    applyTheme();
}

void NavRail::addEntry(const RailEntry& entry) {
    auto* item = new QListWidgetItem(entry.text, this);
    item->setData(IdRole, entry.id);
    item->setData(IconNameRole, entry.icon);
    item->setToolTip(tr("%1 (Ctrl+%2)").arg(entry.text).arg(count()));
    item->setData(Qt::AccessibleTextRole, entry.text);
    applyTheme();
}

void NavRail::setUnseen(int row, int count) {
    QListWidgetItem* entry = item(row);
    entry->setData(UnseenRole, count);
    entry->setData(Qt::AccessibleTextRole,
                   count == 0 ? entry->text() : tr("%1, %2 new").arg(entry->text()).arg(count));
}

void NavRail::setShowsText(bool shows) {
    m_showsText = shows;
    applyTheme();
}

void NavRail::applyTheme() {
    const Colors& c = colors(palette());
    if (palette().color(QPalette::Base) != c.raised) {
        QPalette ground = palette();
        ground.setColor(QPalette::Base, c.raised);
        setPalette(ground);
    }
    int width = leastWidth;
    for (int row = 0; row < count(); ++row) {
        item(row)->setIcon(themedIcon(item(row)->data(IconNameRole).toString(), palette()));
        width = std::max(width,
                         fontMetrics().horizontalAdvance(item(row)->text()) + 3 * space::controls);
    }
    setFixedWidth(m_showsText ? width : railIconSize + 3 * space::controls);
    doItemsLayout();
}

void NavRail::changeEvent(QEvent* event) {
    QListWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) applyTheme();
}

}  // namespace espalier::ui
