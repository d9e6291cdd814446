#pragma once

#include <stop_token>

#include "base/thread_pool.h"

namespace espalier {

/// How matrices are multiplied.
enum class Arithmetic {
    Float32,  ///< weights decoded, float32 throughout: for traces and measurements
    /// Activations are rounded: for quantised weights to 14 bits, with integer products, which is
    /// several times faster; for BF16 weights to bfloat16, as llama.cpp and processors with BF16
    /// products do, so that near ties fall as they do there. Other float weights see float32.
    Integer16,
    /// Activations are rounded to bfloat16 for BF16 weights, and products of bfloat16 summed in
    /// float32, as programs that train such models do; in attention, too, where the processor has
    /// such products. All else as Float32, the router included.
    BFloat16,
};

/// What every step of a forward pass is given.
struct Compute {
    ThreadPool& pool;
    Arithmetic arithmetic = Arithmetic::Float32;
    std::stop_token stop;
    /// Experts that need a copy of their weights keep it until their layer is released. Only looked
    /// at where experts are computed one by one.
    bool keeps_experts = true;
};

}  // namespace espalier
