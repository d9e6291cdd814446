#include "nn/torch_threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "base/log.h"

namespace espalier {
namespace {

using SetThreads = void (*)(int);

/// OpenBLAS' own switch, if OpenBLAS is what libblas.so.3 stands for on this machine.
SetThreads openblas_switch() {
    return reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
}

}  // namespace

void use_blas_threads(int num_threads) {
    at::set_num_threads(1);
    if (const SetThreads set = openblas_switch()) {
        set(num_threads);
    } else {
        log("nn").debug("libblas is not OpenBLAS: its threads are left as they are");
    }
}

void use_one_torch_thread() { use_blas_threads(1); }

}  // namespace espalier
