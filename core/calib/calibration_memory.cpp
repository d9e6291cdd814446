#include "calib/calibration_memory.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/size_text.h"
#include "base/thread_pool.h"
#include "infer/weights.h"

namespace espalier {
namespace {

std::uint64_t limit_of(const MemoryLimits& limits) {
    if (limits.budget > 0) return limits.budget;
    // The rest is left to the page cache, which holds the hidden states.
    return machine_memory().available_bytes / 4 * 3;
}

}  // namespace

CopyBytes copy_bytes(const ModelSource& source) {
    CopyBytes most;
    for (std::int32_t layer = 0; layer < source.config().num_layers(); ++layer) {
        LayerWeights weights = load_layer_weights(source, layer);
        CopyBytes bytes{.rest = weights.copy_bytes()};
        for (const GatedMlpWeights& expert : weights.experts) {
            bytes.experts += expert.copy_bytes();
            bytes.expert = std::max(bytes.expert, expert.copy_bytes());
        }
        if (bytes.experts + bytes.rest > most.experts + most.rest) most = bytes;
    }
    return most;
}

CalibrationMemory plan_calibration_memory(const ModelSource& source, const MemoryLimits& limits) {
    const std::uint64_t limit = limit_of(limits);
    const std::size_t wanted = limits.num_threads > 0 ? limits.num_threads : num_physical_cores();
    const CopyBytes copies = copy_bytes(source);
    CalibrationMemory plan;
    for (const bool keeps_experts : {true, false}) {
        const std::uint64_t weights =
            copies.rest + (keeps_experts ? copies.experts : 2 * copies.expert);
        for (std::size_t threads = wanted; threads > 0; --threads) {
            plan = {.keeps_experts = keeps_experts,
                    .num_threads = threads,
                    .bytes = kProgramBytes + limits.shared_bytes +
                             threads * (weights + limits.worker_bytes)};
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
