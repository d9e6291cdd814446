#pragma once

#include <QObject>
#include <QString>
#include <vector>

#include "pipeline/runner.h"
#include "ui/bridge/run_bridge.h"

namespace espalier::ui {

enum class JobState { Idle, Running, Stopping, Held, Stopped, Failed, Finished };

/// Owns the one run that may be under way, both its ends.
class RunController : public QObject {
    Q_OBJECT

public:
    explicit RunController(QObject* parent = nullptr);

    JobState state() const { return m_state; }
    bool isBusy() const { return m_state == JobState::Running || m_state == JobState::Stopping; }
    /// Folder of the newest run; empty before the first.
    QString folder() const { return m_folder; }

    /// Ignored while a run is under way: ask isBusy() first.
    void start(RunRequest request);
    void stop();

Q_SIGNALS:
    void runStarted(const QString& folder);
    void eventsArrived(const std::vector<espalier::RunEvent>& events);
    void stateChanged(espalier::ui::JobState state);

private:
    void take(const std::vector<RunEvent>& events);
    void setState(JobState state);

    QString m_folder;
    JobState m_state = JobState::Idle;
    RunBridge m_bridge;  // declared before the runner, which reports to it: must outlive it
    Runner m_runner;     // its std::jthread stops and joins on destruction
};

}  // namespace espalier::ui

Q_DECLARE_METATYPE(espalier::ui::JobState)
