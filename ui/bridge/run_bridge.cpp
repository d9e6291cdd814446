#include "ui/bridge/run_bridge.h"

#include <utility>

namespace espalier::ui {
namespace {

bool isProgress(const RunEvent& event) { return std::holds_alternative<StageProgress>(event); }

}  // namespace

RunBridge::RunBridge(QObject* parent) : QObject(parent) {
    m_flushTimer.setSingleShot(true);
    m_flushTimer.setInterval(flushInterval);
    connect(&m_flushTimer, &QTimer::timeout, this, &RunBridge::flush);
}

void RunBridge::on_event(const RunEvent& event) {  // worker thread
    const std::scoped_lock lock(m_mutex);
    const bool wasEmpty = m_mailbox.empty();
    if (!wasEmpty && isProgress(event) && isProgress(m_mailbox.back())) {
        m_mailbox.back() = event;  // only the latest progress counts
    } else {
        m_mailbox.push_back(event);
    }
    if (wasEmpty) {  // one queued call in flight, however fast the stage
        QMetaObject::invokeMethod(&m_flushTimer, qOverload<>(&QTimer::start), Qt::QueuedConnection);
    }
}

void RunBridge::flush() {
    std::vector<RunEvent> events;
    {
        const std::scoped_lock lock(m_mutex);
        events = std::exchange(m_mailbox, {});
    }
    if (!events.empty()) Q_EMIT eventsArrived(events);
}

}  // namespace espalier::ui
