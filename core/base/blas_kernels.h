#pragma once

#include <string>

namespace espalier {

/// Names OpenBLAS the kernels for this processor, unless OPENBLAS_CORETYPE does. Releases that are
/// older than a processor do not know its model number and fall back on SSE3, at a quarter of the
/// speed. To be called at the start of main(): the library reads it when libtorch is opened.
void choose_blas_kernels();
/// What OpenBLAS is told, such as "SkylakeX"; empty if it chooses by itself.
std::string blas_kernels();

}  // namespace espalier
