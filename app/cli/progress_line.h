#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/events.h"

namespace espalier::cli {

/// Shows how far a command is: a line on stderr that overwrites itself, on a terminal only.
class ProgressLine {
public:
    ProgressLine();
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// At most ten times a second.
    void show(double fraction, std::string_view now);
    /// Shows how far a writer is, which tells its bytes and, if it knows it, the tensor.
    auto of_writer() {
        return [this](std::uint64_t done, std::uint64_t total, std::string_view now = "writing") {
            show(static_cast<double>(done) / static_cast<double>(total), now);
        };
    }
    void clear();

private:
    bool on_terminal_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point last_;
};

/// Passes a run's events to the progress line and the log, but for log lines: those are there
/// already.
class TerminalObserver : public RunObserver {
public:
    void on_event(const RunEvent& event) override;

private:
    ProgressLine line_;
    std::string stage_;
};

}  // namespace espalier::cli
