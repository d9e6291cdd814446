#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

// Least-squares fits of codes, scale and offset to a few dozen weighted values, for block encoders.
// Every span has a multiple of eight elements. Sums run in eight interleaved float accumulators
// without fused operations: the same bits on every machine.
namespace espalier::kernels {

/// 1 / scale, or 0 where that is no finite number: then every code is 0.
inline float inverse_of(float scale) noexcept {
    const float inverse = 1.0F / scale;
    return std::isfinite(inverse) ? inverse : 0.0F;
}

/// Nearest whole number between the bounds, ties to even.
inline float nearest_code(float value, float lowest, float highest) noexcept {
    return std::nearbyint(std::clamp(value, lowest, highest));
}

/// Codes c are round(inverse * (x + shift)), ties to even, clamped to [lowest, highest].
struct CodeRange {
    float lowest = 0;
    float highest = 0;
};

/// What a fit needs to know of a choice of codes c: sums of w*c, w*c*c and w*c*x.
struct CodeSums {
    float wc = 0;
    float wcc = 0;
    float wcx = 0;
};
CodeSums code_sums(std::span<const float> x, std::span<const float> w, float inverse, float shift,
                   CodeRange range);

/// Sum of w * (x + offset - scale * c)^2 with the best codes; offset and scale as they will be
/// decoded.
float code_error(std::span<const float> x, std::span<const float> w, float scale, float offset,
                 CodeRange range);

/// Choices of scale and offset to compare.
inline constexpr std::size_t kNumCandidates = 8;
struct Candidates {
    std::array<float, kNumCandidates> scales{};
    std::array<float, kNumCandidates> offsets{};
};
/// errors[k] is the code_error() of candidate k, summed in the order of the elements.
void candidate_errors(std::span<const float> x, std::span<const float> w,
                      const Candidates& candidates, CodeRange range,
                      std::span<float, kNumCandidates> errors);

/// Sums that do not depend on the codes, and the extremes.
struct ValueSums {
    float w = 0;
    float wx = 0;
    float wxx = 0;
    float min = 0;
    float max = 0;
};
ValueSums value_sums(std::span<const float> x, std::span<const float> w);

/// value = scale * code - offset, codes from 0 to max_code
struct AffineFit {
    float scale = 0;
    float offset = 0;
    float error = 0;
};

enum class OffsetSign { NotNegative, Any };

/// Tries 37 inverse scales (max_code + s) / (max - min), s = -0.9, -0.85 … 0.9, solves for scale
/// and offset each time, then alternates between codes and fit. spec "quantisation" 2, after ggml's
/// K-quants.
AffineFit fit_affine(std::span<const float> x, std::span<const float> w, float max_code,
                     OffsetSign sign);

/// value = scale * code, codes from lowest to -lowest - 1, scale of either sign
struct ScaleFit {
    float scale = 0;
    float error = 0;
};

/// Tries to put the element of largest magnitude near either end of the codes, solving for the
/// scale each time, then alternates between codes and fit.
ScaleFit fit_scale(std::span<const float> x, std::span<const float> w, float lowest);

}  // namespace espalier::kernels
