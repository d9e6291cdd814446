#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/events.h"

namespace espalier {

/// Stands between a run and its observer. While it lives, every log line goes to the end of `file`
/// and, before the next event, to the observer as a LogLine: never from inside the logger, so that
/// an observer may itself log. What it logs while it is told something stays out of file and
/// events.
class RunLog : public RunObserver {
public:
    /// @throws Error DiskWrite
    RunLog(const std::filesystem::path& file, RunObserver& observer);
    ~RunLog() override;
    RunLog(const RunLog&) = delete;
    RunLog& operator=(const RunLog&) = delete;

    /// Hands on the lines so far, then the event. A LogLine goes into the log first, like all
    /// others.
    void on_event(const RunEvent& event) override;
    /// Hands on the lines that no event has followed.
    void flush();

private:
    class Sink;

    RunObserver& observer_;
    std::shared_ptr<Sink> sink_;
};

}  // namespace espalier
