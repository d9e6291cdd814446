#include "ui/bridge/machine_info.h"

#include <QStorageInfo>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "store/database.h"

namespace espalier::ui {
namespace {

QString simdName() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw")) return QStringLiteral("AVX-512");
    if (__builtin_cpu_supports("avx2")) return QStringLiteral("AVX2");
    if (__builtin_cpu_supports("sse4.2")) return QStringLiteral("SSE4");
    return QStringLiteral("SSE2");
#elif defined(__aarch64__)
    return QStringLiteral("NEON");
#else
    return {};
#endif
}

}  // namespace

MachineInfo readMachineInfo() {
    const MachineMemory memory = machine_memory();
    const QString folder = QString::fromStdString(data_folder().string());
    const QStorageInfo disk(folder);
    return {
        .memoryBytes = memory.total_bytes,
        .availableBytes = memory.available_bytes,
        .diskFreeBytes = static_cast<std::uint64_t>(std::max<qint64>(0, disk.bytesAvailable())),
        .diskPath = disk.rootPath(),
        .cores = num_physical_cores(),
        .simd = simdName(),
    };
}

}  // namespace espalier::ui
