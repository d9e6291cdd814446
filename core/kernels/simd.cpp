#include "kernels/simd.h"

#include <bit>
#include <cstdint>
#include <hwy/targets.h>

namespace espalier::kernels {

std::string simd_target() {
    // Better instruction sets have lower bits.
    const auto targets = static_cast<std::uint64_t>(hwy::SupportedTargets());
    return hwy::TargetName(
        static_cast<std::int64_t>(std::uint64_t{1} << std::countr_zero(targets)));
}

}  // namespace espalier::kernels
