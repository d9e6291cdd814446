#pragma once

#include <string>

namespace espalier::kernels {

/// The instruction set that run-time dispatch chose on this machine, as Highway names it ("AVX2").
std::string simd_target();

}  // namespace espalier::kernels
