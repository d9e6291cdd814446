#include "eval/windows.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"

namespace espalier {
namespace {

void check(const PerplexityOptions& options) {
    const auto refuse = [](const std::string& what, const char* hint) {
        throw Error(ErrorCode::UsageInvalid, what, hint);
    };
    if (options.context < 2) {
        refuse(fmt::format("Windows of {} tokens predict nothing.", options.context),
               "Choose a context of at least 2 tokens.");
    }
    if (options.stride < 0 || options.stride >= options.context) {
        refuse(
            fmt::format("A stride of {} does not fit windows of {} tokens.", options.stride,
                        options.context),
            "Choose a stride from 1 up to one less than the context, or 0 for separate windows.");
    }
    if (options.first_scored < -1 || options.first_scored > options.context - 2) {
        refuse(fmt::format("Windows of {} tokens cannot be scored from position {}.",
                           options.context, options.first_scored),
               "Choose a position inside the window.");
    }
    if (options.max_windows < 0) {
        refuse(fmt::format("{} windows are not possible.", options.max_windows),
               "Choose a number of windows, or 0 for all.");
    }
}

std::vector<ScoredWindow> separate_windows(std::int64_t num_tokens,
                                           const PerplexityOptions& options) {
    const std::int64_t first =
        options.first_scored < 0 ? options.context / 2 : options.first_scored;
    // In windows of two or three tokens the second half would hold no prediction.
    const std::int64_t scored = std::min(first, options.context - 2);
    std::vector<ScoredWindow> windows;
    for (std::int64_t begin = 0; begin + options.context <= num_tokens; begin += options.context) {
        windows.push_back({begin, options.context, scored});
    }
    return windows;
}

/// Every token is predicted once, with at least context - stride tokens before it (but for the
/// first window); the last window may be shorter.
std::vector<ScoredWindow> sliding_windows(std::int64_t num_tokens,
                                          const PerplexityOptions& options) {
    std::vector<ScoredWindow> windows;
    std::int64_t predicted = 1;  // tokens before this one need no prediction any more
    for (std::int64_t begin = 0; predicted < num_tokens; begin += options.stride) {
        const std::int64_t end = std::min(begin + options.context, num_tokens);
        windows.push_back({begin, end - begin, predicted - 1 - begin});
        predicted = end;
    }
    return windows;
}

}  // namespace

std::vector<ScoredWindow> cut_windows(std::int64_t num_tokens, const PerplexityOptions& options) {
    check(options);
    if (num_tokens < options.context) {
        throw Error(ErrorCode::DataEmpty,
                    fmt::format("The text has {} tokens, fewer than one window of {}.", num_tokens,
                                options.context),
                    "Use a longer text or a smaller context.");
    }
    auto windows = options.stride > 0 ? sliding_windows(num_tokens, options)
                                      : separate_windows(num_tokens, options);
    if (options.max_windows > 0 &&
        static_cast<std::int64_t>(windows.size()) > options.max_windows) {
        windows.resize(static_cast<std::size_t>(options.max_windows));
    }
    return windows;
}

}  // namespace espalier
