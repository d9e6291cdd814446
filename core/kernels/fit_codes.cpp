#include "kernels/fit_codes.h"

#include <algorithm>
#include <cstddef>
#include <limits>

// clang-format off: foreach_target.h comes first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fit_codes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Names differ from those of the header, which the arguments would bring in as well.

using D = HWY_CAPPED(float, 8);
using V = hn::Vec<D>;

/// Interleaved partial sums. Where vectors are shorter than eight, each part of the lanes has a
/// pass of its own, so that the sums are the same.
constexpr std::size_t kLanes = 8;

struct LaneSum {
    HWY_ALIGN float lanes[kLanes];

    float total() const {
        return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
               ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    }
};

HWY_INLINE V nearest_code(V value, V lowest, V highest) {
    return hn::Round(hn::Min(hn::Max(value, lowest), highest));
}

CodeSums sum_codes(std::span<const float> x, std::span<const float> w, float inverse, float shift,
                   CodeRange range) {
    const D d;
    const auto lowest = hn::Set(d, range.lowest);
    const auto highest = hn::Set(d, range.highest);
    const auto factor = hn::Set(d, inverse);
    const auto addend = hn::Set(d, shift);
    LaneSum wc;
    LaneSum wcc;
    LaneSum wcx;
    for (std::size_t part = 0; part < kLanes; part += hn::Lanes(d)) {
        auto sum_wc = hn::Zero(d);
        auto sum_wcc = hn::Zero(d);
        auto sum_wcx = hn::Zero(d);
        for (std::size_t i = part; i < x.size(); i += kLanes) {
            const auto value = hn::LoadU(d, x.data() + i);
            const auto code =
                nearest_code(hn::Mul(factor, hn::Add(value, addend)), lowest, highest);
            const auto weighted = hn::Mul(hn::LoadU(d, w.data() + i), code);
            sum_wc = hn::Add(sum_wc, weighted);
            sum_wcc = hn::Add(sum_wcc, hn::Mul(weighted, code));
            sum_wcx = hn::Add(sum_wcx, hn::Mul(weighted, value));
        }
        hn::Store(sum_wc, d, wc.lanes + part);
        hn::Store(sum_wcc, d, wcc.lanes + part);
        hn::Store(sum_wcx, d, wcx.lanes + part);
    }
    return {wc.total(), wcc.total(), wcx.total()};
}

float sum_errors(std::span<const float> x, std::span<const float> w, float scale, float offset,
                 CodeRange range) {
    const D d;
    const auto lowest = hn::Set(d, range.lowest);
    const auto highest = hn::Set(d, range.highest);
    const auto factor = hn::Set(d, inverse_of(scale));
    const auto step = hn::Set(d, scale);
    const auto addend = hn::Set(d, offset);
    LaneSum error;
    for (std::size_t part = 0; part < kLanes; part += hn::Lanes(d)) {
        auto sum = hn::Zero(d);
        for (std::size_t i = part; i < x.size(); i += kLanes) {
            const auto shifted = hn::Add(hn::LoadU(d, x.data() + i), addend);
            const auto code = nearest_code(hn::Mul(factor, shifted), lowest, highest);
            const auto rest = hn::Sub(shifted, hn::Mul(step, code));
            sum = hn::Add(sum, hn::Mul(hn::Mul(hn::LoadU(d, w.data() + i), rest), rest));
        }
        hn::Store(sum, d, error.lanes + part);
    }
    return error.total();
}

ValueSums sum_values(std::span<const float> x, std::span<const float> w) {
    const D d;
    LaneSum sum_w;
    LaneSum sum_wx;
    LaneSum sum_wxx;
    LaneSum low;
    LaneSum high;
    for (std::size_t part = 0; part < kLanes; part += hn::Lanes(d)) {
        auto partial_w = hn::Zero(d);
        auto partial_wx = hn::Zero(d);
        auto partial_wxx = hn::Zero(d);
        auto min = hn::LoadU(d, x.data() + part);
        auto max = min;
        for (std::size_t i = part; i < x.size(); i += kLanes) {
            const auto value = hn::LoadU(d, x.data() + i);
            const auto weight = hn::LoadU(d, w.data() + i);
            const auto weighted = hn::Mul(weight, value);
            partial_w = hn::Add(partial_w, weight);
            partial_wx = hn::Add(partial_wx, weighted);
            partial_wxx = hn::Add(partial_wxx, hn::Mul(weighted, value));
            min = hn::Min(min, value);
            max = hn::Max(max, value);
        }
        hn::Store(partial_w, d, sum_w.lanes + part);
        hn::Store(partial_wx, d, sum_wx.lanes + part);
        hn::Store(partial_wxx, d, sum_wxx.lanes + part);
        hn::Store(min, d, low.lanes + part);
        hn::Store(max, d, high.lanes + part);
    }
    return {sum_w.total(), sum_wx.total(), sum_wxx.total(),
            *std::min_element(low.lanes, low.lanes + kLanes),
            *std::max_element(high.lanes, high.lanes + kLanes)};
}

/// Errors of several choices of scale and offset at once, one choice a lane.
void sum_candidate_errors(std::span<const float> x, std::span<const float> w,
                          const Candidates& candidates, CodeRange range,
                          std::span<float, kNumCandidates> errors) {
    const D d;
    const auto lowest = hn::Set(d, range.lowest);
    const auto highest = hn::Set(d, range.highest);
    HWY_ALIGN float inverses[kNumCandidates];
    for (std::size_t c = 0; c < kNumCandidates; ++c) inverses[c] = inverse_of(candidates.scales[c]);
    for (std::size_t c = 0; c < kNumCandidates; c += hn::Lanes(d)) {
        const auto step = hn::LoadU(d, candidates.scales.data() + c);
        const auto offset = hn::LoadU(d, candidates.offsets.data() + c);
        const auto inverse = hn::Load(d, inverses + c);
        auto sum = hn::Zero(d);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const auto shifted = hn::Add(hn::Set(d, x[i]), offset);
            const auto code = nearest_code(hn::Mul(inverse, shifted), lowest, highest);
            const auto rest = hn::Sub(shifted, hn::Mul(step, code));
            sum = hn::Add(sum, hn::Mul(hn::Mul(hn::Set(d, w[i]), rest), rest));
        }
        hn::StoreU(sum, d, errors.data() + c);
    }
}

/// Trials of a fit, one a lane of several vectors.
constexpr std::size_t kMaxTrials = 40;

struct Trials {
    HWY_ALIGN float inverse[kMaxTrials];
    HWY_ALIGN float scale[kMaxTrials];
    HWY_ALIGN float offset[kMaxTrials];
    HWY_ALIGN float error[kMaxTrials];

    std::size_t best(std::size_t count) const {
        return static_cast<std::size_t>(std::min_element(error, error + count) - error);
    }
};

/// Sums for the codes that each lane's inverse scale gives.
struct TrialSums {
    V wc;
    V wcc;
    V wcx;
};

HWY_INLINE TrialSums sum_trials(std::span<const float> x, std::span<const float> w, V inverse,
                                float shift, CodeRange range) {
    const D d;
    const auto lowest = hn::Set(d, range.lowest);
    const auto highest = hn::Set(d, range.highest);
    TrialSums sums{hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto code = nearest_code(hn::Mul(inverse, hn::Set(d, x[i] + shift)), lowest, highest);
        const auto weighted = hn::Mul(hn::Set(d, w[i]), code);
        sums.wc = hn::Add(sums.wc, weighted);
        sums.wcc = hn::Add(sums.wcc, hn::Mul(weighted, code));
        sums.wcx = hn::Add(sums.wcx, hn::Mul(weighted, hn::Set(d, x[i])));
    }
    return sums;
}

/// The best scale and offset for each lane's codes by the weighted normal equations; the error by
/// expansion, accurate to about 1e-5 of sum w x^2, infinite where there is no usable solution.
HWY_INLINE void solve_affine(const ValueSums& v, const TrialSums& c, OffsetSign sign,
                             std::size_t first, Trials& trials) {
    const D d;
    const auto zero = hn::Zero(d);
    const auto two = hn::Set(d, 2.0F);
    const auto w = hn::Set(d, v.w);
    const auto wx = hn::Set(d, v.wx);
    const auto determinant = hn::Sub(hn::Mul(w, c.wcc), hn::Mul(c.wc, c.wc));
    auto scale = hn::Div(hn::Sub(hn::Mul(w, c.wcx), hn::Mul(wx, c.wc)), determinant);
    auto offset = hn::Div(hn::Sub(hn::Mul(c.wc, c.wcx), hn::Mul(c.wcc, wx)), determinant);
    if (sign == OffsetSign::NotNegative) {
        const auto is_negative = hn::Lt(offset, zero);
        offset = hn::IfThenElse(is_negative, zero, offset);
        scale = hn::IfThenElse(is_negative, hn::Div(c.wcx, c.wcc), scale);
    }
    auto error = hn::Add(hn::Set(d, v.wxx), hn::Mul(hn::Mul(scale, scale), c.wcc));
    error = hn::Add(error, hn::Mul(hn::Mul(offset, offset), w));
    error = hn::Sub(error, hn::Mul(hn::Mul(two, scale), c.wcx));
    error = hn::Add(error, hn::Mul(hn::Mul(two, offset), wx));
    error = hn::Sub(error, hn::Mul(hn::Mul(hn::Mul(two, scale), offset), c.wc));
    const auto is_usable = hn::And(hn::And(hn::Gt(determinant, zero), hn::Gt(scale, zero)),
                                   hn::Eq(hn::Sub(error, error), zero));  // not infinite nor NaN
    const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
    hn::Store(scale, d, trials.scale + first);
    hn::Store(offset, d, trials.offset + first);
    hn::Store(hn::IfThenElse(is_usable, error, infinity), d, trials.error + first);
}

/// Keeps the best of the first `count` trials if it beats `best`.
void try_affine(std::span<const float> x, std::span<const float> w, const ValueSums& v, float shift,
                float max_code, OffsetSign sign, Trials& trials, std::size_t count,
                AffineFit& best) {
    const D d;
    for (std::size_t t = 0; t < count; t += hn::Lanes(d)) {
        const auto inverse = hn::Load(d, trials.inverse + t);
        solve_affine(v, sum_trials(x, w, inverse, shift, {0.0F, max_code}), sign, t, trials);
    }
    const std::size_t t = trials.best(count);
    if (trials.error[t] < best.error) best = {trials.scale[t], trials.offset[t], trials.error[t]};
}

AffineFit fit_affine(std::span<const float> x, std::span<const float> w, float max_code,
                     OffsetSign sign) {
    const ValueSums v = sum_values(x, w);
    const float low = sign == OffsetSign::NotNegative ? std::min(v.min, 0.0F) : v.min;
    const float range = v.max - low;
    if (!(range > 0.0F)) return {0.0F, -low, 0.0F};
    AffineFit best{range / max_code, -low, 0.0F};
    best.error = sum_errors(x, w, best.scale, best.offset, {0.0F, max_code});
    Trials trials;
    for (std::size_t t = 0; t < kMaxTrials; ++t) {
        trials.inverse[t] = (-0.975F + 0.05F * static_cast<float>(t) + max_code) / range;
    }
    try_affine(x, w, v, -low, max_code, sign, trials, kMaxTrials, best);
    for (int round = 0; round < 2; ++round) {
        const float inverse = inverse_of(best.scale);
        for (std::size_t t = 0; t < kLanes; ++t) {
            trials.inverse[t] = inverse * (0.984F + 0.004F * static_cast<float>(t));
        }
        try_affine(x, w, v, best.offset, max_code, sign, trials, kLanes, best);
    }
    return best;
}

ScaleFit fit_scale(std::span<const float> x, std::span<const float> w, float lowest) {
    const D d;
    const CodeRange range{lowest, -lowest - 1.0F};
    const ValueSums v = sum_values(x, w);
    const float extreme = -v.min > v.max ? v.min : v.max;
    if (extreme == 0.0F) return {};
    ScaleFit best{extreme / lowest, 0.0F};
    best.error = sum_errors(x, w, best.scale, 0.0F, range);
    Trials trials;
    for (std::size_t t = 0; t < kMaxTrials; t += 2) {
        const float stretch = -0.95F + 0.1F * static_cast<float>(t / 2);
        trials.inverse[t] = (range.lowest + stretch) / extreme;
        trials.inverse[t + 1] = (range.highest + stretch) / extreme;
    }
    for (std::size_t t = 0; t < kMaxTrials; t += hn::Lanes(d)) {
        const TrialSums c = sum_trials(x, w, hn::Load(d, trials.inverse + t), 0.0F, range);
        const auto scale = hn::Div(c.wcx, c.wcc);
        const auto error = hn::Sub(hn::Set(d, v.wxx), hn::Mul(scale, c.wcx));
        const auto is_usable = hn::Eq(hn::Sub(error, error), hn::Zero(d));
        const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
        hn::Store(scale, d, trials.scale + t);
        hn::Store(hn::IfThenElse(is_usable, error, infinity), d, trials.error + t);
    }
    const std::size_t t = trials.best(kMaxTrials);
    if (trials.error[t] < best.error && trials.scale[t] != 0.0F) {
        best = {trials.scale[t], trials.error[t]};
    }
    return best;
}

}  // namespace espalier::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::kernels {

HWY_EXPORT(sum_codes);
HWY_EXPORT(sum_errors);
HWY_EXPORT(sum_candidate_errors);
HWY_EXPORT(sum_values);
HWY_EXPORT(fit_affine);
HWY_EXPORT(fit_scale);

CodeSums code_sums(std::span<const float> x, std::span<const float> w, float inverse, float shift,
                   CodeRange range) {
    return HWY_DYNAMIC_DISPATCH(sum_codes)(x, w, inverse, shift, range);
}

float code_error(std::span<const float> x, std::span<const float> w, float scale, float offset,
                 CodeRange range) {
    return HWY_DYNAMIC_DISPATCH(sum_errors)(x, w, scale, offset, range);
}

void candidate_errors(std::span<const float> x, std::span<const float> w,
                      const Candidates& candidates, CodeRange range,
                      std::span<float, kNumCandidates> errors) {
    HWY_DYNAMIC_DISPATCH(sum_candidate_errors)(x, w, candidates, range, errors);
}

ValueSums value_sums(std::span<const float> x, std::span<const float> w) {
    return HWY_DYNAMIC_DISPATCH(sum_values)(x, w);
}

AffineFit fit_affine(std::span<const float> x, std::span<const float> w, float max_code,
                     OffsetSign sign) {
    return HWY_DYNAMIC_DISPATCH(fit_affine)(x, w, max_code, sign);
}

ScaleFit fit_scale(std::span<const float> x, std::span<const float> w, float lowest) {
    return HWY_DYNAMIC_DISPATCH(fit_scale)(x, w, lowest);
}

}  // namespace espalier::kernels
#endif  // HWY_ONCE
