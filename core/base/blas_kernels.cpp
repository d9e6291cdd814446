#include "base/blas_kernels.h"

#include <cstdlib>

namespace espalier {

void choose_blas_kernels() {
#if defined(__x86_64__)
    constexpr int kKeep = 0;  // what the user has set
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        ::setenv("OPENBLAS_CORETYPE", "SkylakeX", kKeep);
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        ::setenv("OPENBLAS_CORETYPE", "Haswell", kKeep);
    }
#endif
}

std::string blas_kernels() {
    const char* name = std::getenv("OPENBLAS_CORETYPE");
    return name == nullptr ? std::string() : name;
}

}  // namespace espalier
