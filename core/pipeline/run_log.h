#pragma once

#include <filesystem>
#include <memory>
#include <spdlog/sinks/sink.h>
#include <vector>

#include "pipeline/events.h"

namespace espalier {

/// While it lives, every log line also goes to the observer as a LogLine and to the end of `file`.
class RunLog {
public:
    /// @throws Error DiskWrite
    RunLog(const std::filesystem::path& file, RunObserver& observer);
    ~RunLog();
    RunLog(const RunLog&) = delete;
    RunLog& operator=(const RunLog&) = delete;

private:
    std::vector<std::shared_ptr<spdlog::sinks::sink>> sinks_;
};

}  // namespace espalier
