#include "ui/bridge/run_controller.h"

#include <utility>

namespace espalier::ui {
namespace {

JobState stateAfter(RunOutcome outcome) {
    switch (outcome) {
        case RunOutcome::Finished:
            return JobState::Finished;
        case RunOutcome::Held:
            return JobState::Held;
        case RunOutcome::Stopped:
            return JobState::Stopped;
        case RunOutcome::Failed:
            break;
    }
    return JobState::Failed;
}

}  // namespace

RunController::RunController(QObject* parent) : QObject(parent), m_runner(m_bridge) {
    connect(&m_bridge, &RunBridge::eventsArrived, this, &RunController::take);
}

void RunController::start(RunRequest request) {
    if (isBusy()) return;
    m_folder = QString::fromStdString(request.out.string());
    setState(JobState::Running);
    Q_EMIT runStarted(m_folder);
    m_runner.start(std::move(request));
}

void RunController::stop() {
    if (m_state != JobState::Running) return;
    setState(JobState::Stopping);
    m_runner.request_stop();
}

void RunController::take(const std::vector<RunEvent>& events) {
    Q_EMIT eventsArrived(events);
    for (const RunEvent& event : events) {
        if (const auto* end = std::get_if<RunFinished>(&event)) setState(stateAfter(end->outcome));
    }
}

void RunController::setState(JobState state) {
    if (state == m_state) return;
    m_state = state;
    Q_EMIT stateChanged(state);
}

}  // namespace espalier::ui
