#include "ui/widgets/step_list.h"

#include <QEvent>
#include <algorithm>

#include "ui/models/roles.h"
#include "ui/theme/metrics.h"

namespace espalier::ui {
namespace {

constexpr int TitleRole = Qt::UserRole + 2;
constexpr int StateRole = Qt::UserRole + 3;
constexpr int leastHeight = 32;

}  // namespace

StepList::StepList(const QString& name, QWidget* parent) : QListWidget(parent) {
    setObjectName(name);
    setAccessibleName(tr("Steps"));
    setFrameShape(QFrame::NoFrame);
    setSpacing(2);
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Expanding);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    viewport()->setAutoFillBackground(false);
}

void StepList::addStep(const QString& title) {
    auto* item = new QListWidgetItem(this);
    item->setData(TitleRole, title);
    item->setData(StateRole, static_cast<int>(StepState::Untouched));
    item->setData(IdRole, QStringLiteral("step:%1").arg(row(item)));
    showText(row(item));
    fitWidth();
}

void StepList::setStepState(int row, StepState state) {
    item(row)->setData(StateRole, static_cast<int>(state));
    showText(row);
}

void StepList::showText(int row) {
    const QString title = item(row)->data(TitleRole).toString();
    QString glyph = QStringLiteral("○");
    QString word = tr("open");
    switch (static_cast<StepState>(item(row)->data(StateRole).toInt())) {
        case StepState::Done:
            glyph = QStringLiteral("✓");
            word = tr("done");
            break;
        case StepState::Problem:
            glyph = QStringLiteral("⚠");
            word = tr("needs attention");
            break;
        case StepState::Untouched:
            break;
    }
    item(row)->setText(QStringLiteral("%1  %2  %3").arg(row + 1).arg(glyph, title));
    item(row)->setData(Qt::AccessibleTextRole, tr("Step %1, %2, %3").arg(row + 1).arg(title, word));
}

void StepList::fitWidth() {
    int widest = 0;
    for (int i = 0; i < count(); ++i) {
        const QFontMetrics metrics = fontMetrics();
        widest = std::max(widest, metrics.horizontalAdvance(item(i)->text()));
        item(i)->setSizeHint({10, std::max(leastHeight, metrics.height() + space::controls)});
    }
    setFixedWidth(widest + space::sections + 2 * space::controls);
    int height = 2 * frameWidth();
    for (int i = 0; i < count(); ++i) height += item(i)->sizeHint().height() + 2 * spacing();
    setMinimumHeight(height);
}

void StepList::changeEvent(QEvent* event) {
    QListWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) fitWidth();
}

}  // namespace espalier::ui
