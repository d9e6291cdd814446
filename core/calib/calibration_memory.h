#pragma once

#include <cstddef>
#include <cstdint>

#include "model/model_source.h"

namespace espalier {

/// The program and its caches.
inline constexpr std::uint64_t kProgramBytes = 64ULL << 20;

/// How a calibration fits into memory. Changes speed, never results.
struct CalibrationMemory {
    /// Experts whose weights cannot be used as they lie in the file (FP8, transposed) are decoded
    /// once a layer; else anew for every micro-batch.
    bool keeps_experts = true;
    std::size_t num_threads = 1;
    std::uint64_t bytes = 0;  ///< estimate of the peak, without the mapped model
};

struct MemoryLimits {
    std::uint64_t budget = 0;     ///< bytes, 0 = what the machine has free
    std::size_t num_threads = 0;  ///< at most; 0 = physical cores
    std::uint64_t worker_bytes = 0;
    std::uint64_t shared_bytes = 0;  ///< once for all
};

/// What weights take beside their file: of the layer that needs most.
struct CopyBytes {
    std::uint64_t experts = 0;  ///< of all together
    std::uint64_t expert = 0;   ///< of one
    std::uint64_t rest = 0;     ///< of everything else
};
CopyBytes copy_bytes(const ModelSource& source);

/// Prefers experts in memory, then all threads. @throws Error MemoryExceeded that says what is
/// needed
CalibrationMemory plan_calibration_memory(const ModelSource& source, const MemoryLimits& limits);

}  // namespace espalier
