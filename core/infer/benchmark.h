#pragma once

#include <cstdint>
#include <stop_token>

#include "infer/native_model.h"

namespace espalier {

struct BenchOptions {
    std::int64_t prompt_tokens = 512;  ///< 0: not measured
    std::int64_t gen_tokens = 64;      ///< 0: not measured
    std::int64_t repeat = 5;
    Arithmetic arithmetic = Arithmetic::Integer16;
    std::uint64_t seed = 0;  ///< of the random prompt
};

/// Tokens a second over the repeats.
struct Spread {
    double median = 0;
    double min = 0;
    double max = 0;
};

struct BenchResult {
    Spread prompt_tps;
    Spread gen_tps;
};

/// Measures reading a random prompt into an empty cache, and generating from an empty cache without
/// sampling, after one run of each to warm up: what llama-bench calls pp and tg.
/// @throws Error UsageInvalid for counts out of range
BenchResult run_benchmark(NativeModel& model, const BenchOptions& options,
                          std::stop_token stop = {});

}  // namespace espalier
