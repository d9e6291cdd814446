#pragma once

#include <stop_token>

#include "base/thread_pool.h"

namespace espalier {

/// How matrices of quantised weights are multiplied. Weights stored as floats are always multiplied
/// in float32.
enum class Arithmetic {
    Float32,    ///< weights decoded, float32 throughout: for traces and measurements
    Integer16,  ///< activations rounded to 14 bits, integer products: several times faster
};

/// What every step of a forward pass is given.
struct Compute {
    ThreadPool& pool;
    Arithmetic arithmetic = Arithmetic::Float32;
    std::stop_token stop;
};

}  // namespace espalier
