#include "infer/benchmark.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "infer/arithmetic_guard.h"

namespace espalier {
namespace {

using Clock = std::chrono::steady_clock;

void check(const BenchOptions& options, const MoeConfig& config) {
    const auto check_count = [&](const char* name, std::int64_t value, std::int64_t least) {
        const bool fits = config.context_length <= 0 || value <= config.context_length;
        if (value >= least && fits) return;
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("{} must be from {} to the context of {} tokens, not {}.", name,
                                least, config.context_length, value),
                    "Choose another count.");
    };
    check_count("The number of prompt tokens", options.prompt_tokens, 0);
    check_count("The number of generated tokens", options.gen_tokens, 0);
    if (options.repeat < 1) {
        throw Error(ErrorCode::UsageInvalid,
                    fmt::format("The number of repeats must be 1 or more, not {}.", options.repeat),
                    "Choose another count.");
    }
}

std::vector<std::int32_t> random_tokens(std::int64_t count, const BenchOptions& options,
                                        const MoeConfig& config) {
    Rng rng = Rng(options.seed).stream("infer.benchmark");
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
    for (auto& token : tokens) {
        token = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size)));
    }
    return tokens;
}

template <typename Run>
Spread measure(std::int64_t tokens, std::int64_t repeat, Run&& run) {
    if (tokens == 0) return {};
    run();
    std::vector<double> speeds;
    for (std::int64_t i = 0; i < repeat; ++i) {
        const auto start = Clock::now();
        run();
        const std::chrono::duration<double> seconds = Clock::now() - start;
        speeds.push_back(static_cast<double>(tokens) / std::max(seconds.count(), 1e-9));
    }
    std::sort(speeds.begin(), speeds.end());
    const std::size_t middle = speeds.size() / 2;
    const double median =
        speeds.size() % 2 == 1 ? speeds[middle] : (speeds[middle - 1] + speeds[middle]) / 2;
    return {.median = median, .min = speeds.front(), .max = speeds.back()};
}

}  // namespace

BenchResult run_benchmark(NativeModel& model, const BenchOptions& options, std::stop_token stop) {
    check(options, model.config());
    const ArithmeticGuard guard(model, options.arithmetic);
    BenchResult result;
    const auto prompt = random_tokens(options.prompt_tokens, options, model.config());
    result.prompt_tps = measure(options.prompt_tokens, options.repeat, [&] {
        KvCache cache(model.config());
        model.forward(prompt, cache, LogitsFor::LastToken, nullptr, stop);
    });
    const auto answer = random_tokens(options.gen_tokens, options, model.config());
    result.gen_tps = measure(options.gen_tokens, options.repeat, [&] {
        KvCache cache(model.config());
        for (const std::int32_t& token : answer) {
            model.forward({&token, 1}, cache, LogitsFor::LastToken, nullptr, stop);
        }
    });
    return result;
}

}  // namespace espalier
