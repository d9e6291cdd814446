#include "ui/bridge/plan_command.h"

#include <QLocale>
#include <utility>

namespace espalier::ui {

PlanCommand::PlanCommand(const QString& text, PlanState before, PlanState after, const Show& show,
                         int drag)
    : m_before(std::move(before)),
      m_after(std::move(after)),
      m_show(show),
      m_drag(drag),
      m_time(QDateTime::currentDateTime()) {
    name(text);
}

void PlanCommand::name(const QString& text) {
    // The list of the history shows what stands before the line end, the Edit menu what follows.
    const QString time = QLocale().toString(m_time.time(), QStringLiteral("HH:mm:ss"));
    setText(QStringLiteral("%1   %2\n%2").arg(time, text));
}

bool PlanCommand::mergeWith(const QUndoCommand* other) {
    const auto* next = static_cast<const PlanCommand*>(other);  // of the same id
    m_after = next->m_after;
    m_time = next->m_time;
    name(next->actionText());
    setObsolete(m_after == m_before);
    return true;
}

}  // namespace espalier::ui
