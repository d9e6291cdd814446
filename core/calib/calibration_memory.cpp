#include "calib/calibration_memory.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/size_text.h"
#include "base/thread_pool.h"

namespace espalier {
namespace {

std::uint64_t largest_layer(const ModelSource& source, ExpertStorage storage) {
    std::uint64_t bytes = 0;
    for (std::int64_t layer = 0; layer < source.config().num_layers(); ++layer) {
        bytes = std::max(bytes, layer_bytes(source, layer, storage));
    }
    return bytes;
}

std::uint64_t limit_of(const MemoryLimits& limits) {
    if (limits.budget > 0) return limits.budget;
    // The rest is left to the page cache, which holds the hidden states.
    return machine_memory().available_bytes / 4 * 3;
}

}  // namespace

CalibrationMemory plan_calibration_memory(const ModelSource& source, const MemoryLimits& limits) {
    const std::uint64_t limit = limit_of(limits);
    const std::size_t wanted = limits.num_threads > 0 ? limits.num_threads : num_physical_cores();
    CalibrationMemory plan;
    for (const ExpertStorage storage : {ExpertStorage::Held, ExpertStorage::DecodedOnUse}) {
        const std::uint64_t layer = largest_layer(source, storage);
        for (std::size_t threads = wanted; threads > 0; --threads) {
            plan = {.storage = storage,
                    .num_threads = threads,
                    .bytes = kProgramBytes + layer + threads * limits.worker_bytes};
            if (plan.bytes <= limit) return plan;
        }
    }
    throw Error(
        ErrorCode::MemoryExceeded,
        fmt::format("Calibrating {} needs {} of memory, {} may be used.", source.name(),
                    memory_text(plan.bytes), memory_text(limit)),
        "Use a shorter --context, a larger --memory-budget, or a machine with more memory.");
}

}  // namespace espalier
