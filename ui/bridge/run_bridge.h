#pragma once

#include <QObject>
#include <QTimer>
#include <chrono>
#include <mutex>
#include <vector>

#include "pipeline/events.h"

namespace espalier::ui {

/// Carries what a run reports from its thread to the GUI thread: in order, nothing lost but
/// progress that newer progress replaces, and at most one batch every flushInterval.
class RunBridge : public QObject, public RunObserver {
    Q_OBJECT

public:
    static constexpr std::chrono::milliseconds flushInterval{50};

    explicit RunBridge(QObject* parent = nullptr);

    void on_event(const RunEvent& event) override;

Q_SIGNALS:
    /// On the GUI thread; oldest first.
    void eventsArrived(const std::vector<espalier::RunEvent>& events);

private:
    void flush();

    QTimer m_flushTimer;
    std::mutex m_mutex;
    std::vector<RunEvent> m_mailbox;
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(std::vector<espalier::RunEvent>)
