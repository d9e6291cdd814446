#pragma once

#include <cstddef>
#include <cstdint>

#include "model/model_source.h"
#include "nn/expert_storage.h"

namespace espalier {

/// The program, libtorch and its caches.
inline constexpr std::uint64_t kProgramBytes = 256ULL << 20;

/// How a calibration fits into memory. Changes speed, never results.
struct CalibrationMemory {
    ExpertStorage storage = ExpertStorage::Held;
    std::size_t num_threads = 1;
    std::uint64_t bytes = 0;  ///< estimate of the peak
};

struct MemoryLimits {
    std::uint64_t budget = 0;     ///< bytes, 0 = what the machine has free
    std::size_t num_threads = 0;  ///< at most; 0 = physical cores
    std::uint64_t worker_bytes = 0;
};

/// Prefers experts in memory, then all threads. @throws Error MemoryExceeded that says what is
/// needed
CalibrationMemory plan_calibration_memory(const ModelSource& source, const MemoryLimits& limits);

}  // namespace espalier
