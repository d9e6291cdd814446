#pragma once

#include <QDateTime>
#include <QUndoCommand>
#include <functional>

#include "ui/bridge/plan_state.h"

namespace espalier::ui {

/// One step of a plan's history, from one state to another. Steps of the same drag become one.
class PlanCommand : public QUndoCommand {
public:
    using Show = std::function<void(const PlanState&)>;

    /// @param show puts a state in force; must outlive the command
    /// @param drag of a slider; 0 = stands alone
    PlanCommand(const QString& text, PlanState before, PlanState after, const Show& show,
                int drag = 0);

    void undo() override { m_show(m_before); }
    void redo() override { m_show(m_after); }
    int id() const override { return m_drag == 0 ? -1 : m_drag; }
    bool mergeWith(const QUndoCommand* other) override;

    const QDateTime& time() const { return m_time; }

private:
    void name(const QString& text);

    PlanState m_before;
    PlanState m_after;
    const Show& m_show;
    int m_drag;
    QDateTime m_time;
};

}  // namespace espalier::ui
