#include "eval/verify_cut.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "infer/layerwise.h"
#include "infer/native_model.h"

namespace espalier {
namespace {

constexpr std::size_t kWindow = 64;

using Windows = std::vector<std::vector<std::int32_t>>;

Windows random_windows(std::int64_t tokens, std::int64_t vocab) {
    Rng rng = Rng(0).stream("eval.verify_cut");
    Windows windows;
    for (std::int64_t t = 0; t < tokens; ++t) {
        if (windows.empty() || windows.back().size() == kWindow) windows.emplace_back();
        windows.back().push_back(
            static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocab))));
    }
    return windows;
}

std::vector<float> logits_of(NativeModel& model, const Windows& windows,
                             const std::stop_token& stop) {
    std::vector<float> all;
    score_layerwise(model, windows,
                    {.on_logits =
                         [&](std::size_t, std::size_t, std::span<const float> logits) {
                             all.insert(all.end(), logits.begin(), logits.end());
                         },
                     .observer_of = {},
                     .on_layer = {}},
                    stop);
    return all;
}

/// NaN counts as the largest of all.
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
    }
    return largest;
}

}  // namespace

double verify_cut(const CutToVerify& verify, std::stop_token stop) {
    const Windows windows = random_windows(verify.tokens, verify.model.config().vocab_size);
    NativeModel masked(verify.model, verify.pool);
    masked.set_mask(verify.mask);
    NativeModel cut(verify.cut, verify.pool);
    const double difference =
        largest_difference(logits_of(masked, windows, stop), logits_of(cut, windows, stop));
    if (difference <= verify.tolerance) return difference;
    throw Error(ErrorCode::VerifyFailed,
                fmt::format("{} does not compute what the original does without those experts: "
                            "logits differ by {:.3g}.",
                            verify.cut.path().string(), difference),
                "Check the disk and write it again; do not use this file.");
}

}  // namespace espalier
