#pragma once

#include <QString>
#include <cstdint>

namespace espalier::ui {

/// What this computer has. Not for the GUI thread: a disk may be slow to answer.
struct MachineInfo {
    std::uint64_t memoryBytes = 0;
    std::uint64_t availableBytes = 0;
    std::uint64_t diskFreeBytes = 0;
    QString diskPath;  ///< where results go
    std::size_t cores = 0;
    QString simd;  ///< "AVX2"
};

MachineInfo readMachineInfo();

}  // namespace espalier::ui
