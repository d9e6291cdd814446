#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <thread>

#include "base/json.h"
#include "base/memory.h"

namespace espalier::cli {

/// What holds for every command of one call.
struct Session {
    bool json = false;                ///< one JSON object on stdout as the last line
    std::size_t num_threads = 0;      ///< 0 = physical cores
    std::uint64_t memory_budget = 0;  ///< bytes, 0 = no limit given
    std::stop_token stop;             ///< Ctrl+C
};

/// Turns SIGINT and SIGTERM into a stop request; a second one ends the program at once. Make it
/// before any other thread, so that all of them leave these signals to it.
class SignalStop {
public:
    SignalStop();
    ~SignalStop();
    SignalStop(const SignalStop&) = delete;
    SignalStop& operator=(const SignalStop&) = delete;
    std::stop_token token() const noexcept { return source_.get_token(); }

private:
    std::stop_source source_;
    std::jthread waiter_;
};

/// Seconds and peak memory since it was made.
class Measure {
public:
    double seconds() const;
    /// {"out", "seconds", "peak_bytes", "metrics"}: what commands that write a file answer.
    Json result(const std::filesystem::path& out, Json metrics) const;

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    PeakMemory memory_;
};

}  // namespace espalier::cli
