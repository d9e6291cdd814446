#include "ui/widgets/drop_area.h"

#include <QDragEnterEvent>
#include <QMimeData>
#include <QPainter>
#include <QUrl>
#include <QVBoxLayout>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/text_label.h"

namespace espalier::ui {

QStringList localPaths(const QMimeData& mime) {
    QStringList paths;
    for (const QUrl& url : mime.urls()) {
        if (url.isLocalFile()) paths.append(url.toLocalFile());
    }
    return paths;
}

DropArea::DropArea(const QString& name, const QString& text, QWidget* parent) : QFrame(parent) {
    setObjectName(name);
    setAccessibleName(text);
    setAcceptDrops(true);
    auto* label = new TextLabel(TextKind::Secondary, text);
    label->setAlignment(Qt::AlignCenter);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(space::groups, space::groups, space::groups, space::groups);
    layout->addWidget(label);
}

void DropArea::dragEnterEvent(QDragEnterEvent* event) {
    if (localPaths(*event->mimeData()).isEmpty()) return;
    event->acceptProposedAction();
    m_isHovered = true;
    update();
}

void DropArea::dragLeaveEvent(QDragLeaveEvent*) {
    m_isHovered = false;
    update();
}

void DropArea::dropEvent(QDropEvent* event) {
    m_isHovered = false;
    update();
    event->acceptProposedAction();
    Q_EMIT dropped(localPaths(*event->mimeData()));
}

void DropArea::paintEvent(QPaintEvent*) {
    const Colors& c = colors(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(m_isHovered ? c.accent : c.border, m_isHovered ? 2 : 1, Qt::DashLine));
    painter.setBrush(m_isHovered ? c.raised : c.bg);
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), space::cornerRadius,
                            space::cornerRadius);
}

}  // namespace espalier::ui
