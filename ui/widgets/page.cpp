#include "ui/widgets/page.h"

#include <QEvent>

#include "ui/theme/metrics.h"

namespace espalier::ui {

void Page::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange(isNarrow(*this));
}

void Page::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) arrange(isNarrow(*this));
}

}  // namespace espalier::ui
