#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

// Least-squares fits of codes, scale and offset to a few dozen weighted values. Sums run in eight
// interleaved float accumulators, added up pairwise: the same bits on every machine, and loops that
// the compiler can turn into vector code.
namespace espalier {

inline constexpr std::size_t kLanes = 8;

/// Eight partial sums.
struct LaneSum {
    std::array<float, kLanes> lanes{};

    float total() const noexcept {
        return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
               ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    }
};

/// Nearest whole number, ties to even; |value| < 2^22.
inline float round_even(float value) noexcept {
    constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: beside it, a float's last place is 1
    return (value + kMagic) - kMagic;
}

inline float nearest_code(float value, float lowest, float highest) noexcept {
    return round_even(std::min(std::max(value, lowest), highest));
}

/// 1 / scale, or 0 where that is no finite number: then every code is 0.
inline float inverse_of(float scale) noexcept {
    const float inverse = 1.0F / scale;
    return std::isfinite(inverse) ? inverse : 0.0F;
}

/// What a fit needs to know of a choice of codes c: sums of w*c, w*c*c and w*c*x.
struct CodeSums {
    float wc = 0;
    float wcc = 0;
    float wcx = 0;
};

/// Sums for codes round(inverse * (x + shift)) clamped to [lowest, highest].
template <std::size_t N>
CodeSums code_sums(std::span<const float, N> x, std::span<const float, N> w, float inverse,
                   float shift, float lowest, float highest) noexcept {
    LaneSum wc;
    LaneSum wcc;
    LaneSum wcx;
    for (std::size_t i = 0; i < N; i += kLanes) {
        for (std::size_t k = 0; k < kLanes; ++k) {
            const float code = nearest_code(inverse * (x[i + k] + shift), lowest, highest);
            const float weighted = w[i + k] * code;
            wc.lanes[k] += weighted;
            wcc.lanes[k] += weighted * code;
            wcx.lanes[k] += weighted * x[i + k];
        }
    }
    return {wc.total(), wcc.total(), wcx.total()};
}

/// Sum of w * (x + offset - scale * code)^2 with the best codes; offset and scale as they will be
/// decoded.
template <std::size_t N>
float code_error(std::span<const float, N> x, std::span<const float, N> w, float scale,
                 float offset, float lowest, float highest) noexcept {
    const float inverse = inverse_of(scale);
    LaneSum error;
    for (std::size_t i = 0; i < N; i += kLanes) {
        for (std::size_t k = 0; k < kLanes; ++k) {
            const float shifted = x[i + k] + offset;
            const float code = nearest_code(inverse * shifted, lowest, highest);
            const float difference = shifted - scale * code;
            error.lanes[k] += w[i + k] * difference * difference;
        }
    }
    return error.total();
}

/// Sums that do not depend on the codes.
struct ValueSums {
    float w = 0;
    float wx = 0;
    float wxx = 0;
    float min = 0;
    float max = 0;
};

template <std::size_t N>
ValueSums value_sums(std::span<const float, N> x, std::span<const float, N> w) noexcept {
    LaneSum sum_w;
    LaneSum sum_wx;
    LaneSum sum_wxx;
    for (std::size_t i = 0; i < N; i += kLanes) {
        for (std::size_t k = 0; k < kLanes; ++k) {
            const float weighted = w[i + k] * x[i + k];
            sum_w.lanes[k] += w[i + k];
            sum_wx.lanes[k] += weighted;
            sum_wxx.lanes[k] += weighted * x[i + k];
        }
    }
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    return {sum_w.total(), sum_wx.total(), sum_wxx.total(), *low, *high};
}

/// value = scale * code - offset
struct AffineFit {
    float scale = 0;
    float offset = 0;
    float error = 0;
};

enum class OffsetSign { NotNegative, Any };

/// The best scale and offset for given codes, by the weighted normal equations; the error by
/// expansion, accurate to about 1e-5 of sum w x^2. Returns `otherwise` if the equations have no
/// usable solution.
inline AffineFit solve_affine(const ValueSums& v, const CodeSums& c, OffsetSign sign,
                              const AffineFit& otherwise) noexcept {
    const float determinant = v.w * c.wcc - c.wc * c.wc;
    if (!(determinant > 0.0F)) return otherwise;
    float scale = (v.w * c.wcx - v.wx * c.wc) / determinant;
    float offset = (c.wc * c.wcx - c.wcc * v.wx) / determinant;
    if (sign == OffsetSign::NotNegative && offset < 0.0F) {
        offset = 0.0F;
        scale = c.wcx / c.wcc;
    }
    if (!(scale > 0.0F) || !std::isfinite(scale) || !std::isfinite(offset)) return otherwise;
    const float error = v.wxx + scale * scale * c.wcc + offset * offset * v.w -
                        2.0F * scale * c.wcx + 2.0F * offset * v.wx - 2.0F * scale * offset * c.wc;
    return {scale, offset, error};
}

/// Trial inverse scales (max_code + s) / (max - min) for s = first, first + step, … spec
/// "quantisation" 2.
struct TrialGrid {
    float first = -0.9F;
    float step = 0.05F;
    int count = 37;
};

/// Codes 0…max_code for values x with weights w: tries the grid, then alternates between codes and
/// fit.
template <std::size_t N>
AffineFit fit_affine(std::span<const float, N> x, std::span<const float, N> w, float max_code,
                     OffsetSign sign, const TrialGrid& grid) noexcept {
    const ValueSums v = value_sums(x, w);
    const float low = sign == OffsetSign::NotNegative ? std::min(v.min, 0.0F) : v.min;
    const float range = v.max - low;
    if (!(range > 0.0F)) return {0.0F, -low, 0.0F};
    AffineFit best{range / max_code, -low, 0.0F};
    best.error = code_error(x, w, best.scale, best.offset, 0.0F, max_code);
    const auto consider = [&](float inverse, float shift) {
        const CodeSums c = code_sums(x, w, inverse, shift, 0.0F, max_code);
        const AffineFit fit = solve_affine(v, c, sign, best);
        if (fit.error < best.error) best = fit;
    };
    for (int s = 0; s < grid.count; ++s) {
        consider((grid.first + grid.step * static_cast<float>(s) + max_code) / range, -low);
    }
    for (int round = 0; round < 2; ++round) consider(inverse_of(best.scale), best.offset);
    return best;
}

/// value = scale * code, scale of either sign
struct ScaleFit {
    float scale = 0;
    float error = 0;
};

/// Codes lowest…highest (lowest = -highest - 1): the element of largest magnitude goes near either
/// end.
template <std::size_t N>
ScaleFit fit_scale(std::span<const float, N> x, std::span<const float, N> w, float lowest,
                   float highest) noexcept {
    const ValueSums v = value_sums(x, w);
    const float extreme = -v.min > v.max ? v.min : v.max;
    if (extreme == 0.0F) return {};
    ScaleFit best{extreme / lowest, 0.0F};
    best.error = code_error(x, w, best.scale, 0.0F, lowest, highest);
    const auto consider = [&](float inverse) {
        const CodeSums c = code_sums(x, w, inverse, 0.0F, lowest, highest);
        if (!(c.wcc > 0.0F)) return;
        const float scale = c.wcx / c.wcc;
        const float error = v.wxx - scale * c.wcx;
        if (error < best.error && scale != 0.0F && std::isfinite(scale)) best = {scale, error};
    };
    for (int k = -9; k <= 9; ++k) {
        const float stretch = 0.1F * static_cast<float>(k);
        consider((lowest + stretch) / extreme);
        consider((highest + stretch) / extreme);
    }
    for (int round = 0; round < 2; ++round) consider(inverse_of(best.scale));
    return best;
}

}  // namespace espalier
