#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace espalier {

struct ProcessMemory {
    std::uint64_t anonymous_bytes = 0;  ///< RssAnon: what the program itself allocated and touched
    std::uint64_t resident_bytes = 0;   ///< VmRSS: mapped file pages too
    std::uint64_t peak_resident_bytes = 0;  ///< VmHWM
};

/// Read from /proc/self/status.
ProcessMemory process_memory();

struct MachineMemory {
    std::uint64_t total_bytes = 0;
    std::uint64_t available_bytes = 0;
};

MachineMemory machine_memory();

/// Samples the anonymous memory of the process every 5 ms while it lives. The system keeps a
/// high-water mark for resident pages only, which counts mapped files.
class PeakMemory {
public:
    PeakMemory();
    std::uint64_t peak_anonymous_bytes() const noexcept;

private:
    std::atomic<std::uint64_t> peak_{0};
    std::jthread sampler_;
};

}  // namespace espalier
