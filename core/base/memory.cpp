#include "base/memory.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

namespace espalier {
namespace {

/// Lines `Name:   123 kB` as bytes.
std::map<std::string, std::uint64_t> read_kilobytes(const char* path) {
    std::map<std::string, std::uint64_t> values;
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        const auto colon = line.find(':');
        if (colon == std::string::npos || !line.ends_with("kB")) continue;
        values[line.substr(0, colon)] = std::stoull(line.substr(colon + 1)) * 1024;
    }
    return values;
}

}  // namespace

ProcessMemory process_memory() {
    auto values = read_kilobytes("/proc/self/status");
    return {values["RssAnon"], values["VmRSS"], values["VmHWM"]};
}

MachineMemory machine_memory() {
    auto values = read_kilobytes("/proc/meminfo");
    return {values["MemTotal"], values["MemAvailable"]};
}

PeakMemory::PeakMemory() : peak_(process_memory().anonymous_bytes) {
    sampler_ = std::jthread([this](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any tick;
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
            peak_ = std::max(peak_.load(), process_memory().anonymous_bytes);
            tick.wait_for(lock, stop, std::chrono::milliseconds(5), [] { return false; });
        }
    });
}

std::uint64_t PeakMemory::peak_anonymous_bytes() const noexcept {
    return std::max(peak_.load(), process_memory().anonymous_bytes);
}

}  // namespace espalier
