#include "ui/widgets/memory_button.h"

#include <QEvent>
#include <QMenu>
#include <QVBoxLayout>
#include <QWidgetAction>

#include "ui/models/format.h"
#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/widgets/info_view.h"

namespace espalier::ui {
namespace {

constexpr double warnShare = 0.85;
constexpr double alarmShare = 0.95;

}  // namespace

MemoryButton::MemoryButton(QWidget* parent)
    : QToolButton(parent), m_details(new InfoView(QStringLiteral("job_memory_view"))) {
    setObjectName(QStringLiteral("job_memory_btn"));
    setFocusPolicy(Qt::StrongFocus);
    setAutoRaise(true);
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("job_memory_menu"));
    auto* frame = new QWidget;
    auto* layout = new QVBoxLayout(frame);
    layout->setContentsMargins(space::groups, space::groups, space::groups, space::groups);
    layout->addWidget(m_details);
    auto* action = new QWidgetAction(menu);
    action->setDefaultWidget(frame);
    menu->addAction(action);
    connect(this, &QToolButton::clicked, menu,
            [this, menu] { menu->popup(mapToGlobal(QPoint(0, -menu->sizeHint().height()))); });
}

void MemoryButton::setReading(const Reading& reading) {
    const auto limit = static_cast<double>(std::max<quint64>(1, reading.availableAtStart));
    m_share = static_cast<double>(reading.ownBytes) / limit;
    QString text =
        tr("RAM %1 of %2")
            .arg(format::memory(reading.ownBytes), format::memory(reading.availableAtStart));
    if (m_share >= alarmShare) {
        text = tr("%1: nearly full").arg(text);
    } else if (m_share >= warnShare) {
        text = tr("%1: getting full").arg(text);
    }
    setText(text);
    setAccessibleName(tr("Memory: %1").arg(text));
    setToolTip(
        tr("Memory that Espalier uses, of what was free at its start. Click for the parts."));
    m_details->setRows({
        {QStringLiteral("own"),
         tr("Used by Espalier"),
         format::memory(reading.ownBytes),
         false,
         {}},
        {QStringLiteral("mapped"), tr("Mapped model files"),
         format::memory(reading.residentBytes - std::min(reading.ownBytes, reading.residentBytes)),
         false, tr("Pages of files that the system may take back at any time.")},
        {QStringLiteral("peak"),
         tr("Most so far, files too"),
         format::memory(reading.peakBytes),
         false,
         {}},
        {QStringLiteral("free"), tr("Free now"), format::memory(reading.availableNow), false, {}},
    });
    applyTheme();
}

void MemoryButton::applyTheme() {
    const Colors& c = colors(palette());
    const QColor ink = m_share >= alarmShare ? c.err : m_share >= warnShare ? c.warn : c.text;
    if (palette().color(QPalette::ButtonText) == ink) return;
    QPalette inked = palette();
    inked.setColor(QPalette::ButtonText, ink);
    setPalette(inked);
}

void MemoryButton::changeEvent(QEvent* event) {
    QToolButton::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) applyTheme();
}

}  // namespace espalier::ui
