#pragma once

#include <cstdint>

namespace espalier::ui {

struct MachineInfo;
struct ModelEntry;

/// Whether a model runs on this computer.
enum class Fit {
    Fits,
    Tight,             ///< takes more than 90 % of what is free
    Paging,            ///< some weights are read from the disk again and again
    NeedsCompressing,  ///< too large or too slow as it is
    Cannot             ///< and cannot be made smaller here
};

/// The sum behind it, in bytes.
struct FitSum {
    Fit fit = Fit::Fits;
    std::uint64_t weights = 0;
    std::uint64_t cache = 0;  ///< at the number of tokens asked for
    std::uint64_t buffers = 0;
    std::uint64_t reserve = 0;  ///< left to the system
    std::uint64_t total = 0;
    std::uint64_t available = 0;
    double tokensPerSecond = 0;    ///< Paging: rough
    std::uint64_t resultDisk = 0;  ///< NeedsCompressing, Cannot: what a result takes at 4.5 bits
    bool operator==(const FitSum&) const = default;
};

/// @param entry its facts have been read
FitSum fitOf(const ModelEntry& entry, std::int64_t tokens, const MachineInfo& machine);

}  // namespace espalier::ui
