#include "ui/bridge/fit.h"

#include <algorithm>

#include "ui/bridge/machine_info.h"
#include "ui/bridge/model_entry.h"

namespace espalier::ui {
namespace {

constexpr std::uint64_t reserveBytes = 512ULL << 20;
constexpr double tightShare = 0.9;
constexpr double diskBytesPerSecond = 1e9;  ///< of a common SSD, read in the pieces of experts
constexpr double slowestPaging = 0.5;       ///< tokens a second that someone still waits for
constexpr double resultBitsPerWeight = 4.5;

/// Tokens a second where the weights that no longer fit are read for each token anew; 0 if not even
/// those of one token fit.
double pagedSpeed(const ModelFacts& facts, const FitSum& sum) {
    const std::uint64_t others = sum.total - sum.weights;
    if (others >= sum.available || facts.parameters == 0) return 0;
    const auto kept = static_cast<double>(sum.available - others);
    const auto weights = static_cast<double>(sum.weights);
    const double perToken = weights * static_cast<double>(facts.activeParameters) /
                            static_cast<double>(facts.parameters);
    if (kept < perToken) return 0;
    const double read = perToken * (1 - kept / weights);
    return read > 0 ? diskBytesPerSecond / read : 0;
}

Fit tooLarge(const ModelEntry& entry, const FitSum& sum, std::uint64_t diskFree) {
    if (sum.tokensPerSecond >= slowestPaging) return Fit::Paging;
    return entry.canCompress() && sum.resultDisk <= diskFree ? Fit::NeedsCompressing : Fit::Cannot;
}

}  // namespace

FitSum fitOf(const ModelEntry& entry, std::int64_t tokens, const MachineInfo& machine) {
    const ModelFacts facts = entry.facts.value_or(ModelFacts());
    FitSum sum;
    sum.weights = facts.tensorBytes;
    sum.cache = facts.cacheFixed +
                facts.cachePerToken * static_cast<std::uint64_t>(std::max<std::int64_t>(0, tokens));
    sum.buffers = facts.bufferBytes;
    sum.reserve = reserveBytes;
    sum.total = sum.weights + sum.cache + sum.buffers + sum.reserve;
    sum.available = machine.availableBytes;
    if (sum.total <= sum.available) {
        const bool isTight =
            static_cast<double>(sum.total) > tightShare * static_cast<double>(sum.available);
        sum.fit = isTight ? Fit::Tight : Fit::Fits;
        return sum;
    }
    sum.tokensPerSecond = pagedSpeed(facts, sum);
    sum.resultDisk =
        static_cast<std::uint64_t>(static_cast<double>(facts.parameters) * resultBitsPerWeight / 8);
    sum.fit = tooLarge(entry, sum, machine.diskFreeBytes);
    return sum;
}

}  // namespace espalier::ui
