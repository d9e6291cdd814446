#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "quant/block_fit.h"
#include "quant/half_scale.h"

// The search for one super-block of 256 values in K-quants: scales (and offsets) of the sub-blocks
// are themselves small whole numbers times a half. Plain rounding is the first candidate and every
// later one has to beat it, so the result is never worse than plain rounding.
namespace espalier {

inline constexpr std::size_t kSuperBlock = 256;
using SuperBlockSpan = std::span<const float, kSuperBlock>;

inline constexpr float kSmallestHalf = 0x1p-24F;

/// A half that is positive if `value` is: better a coarse scale than none.
inline float positive_half(float value) noexcept {
    return value > 0.0F ? std::max(round_to_half(value), kSmallestHalf) : 0.0F;
}

/// Q2_K, Q4_K, Q5_K: value = d * scale * code - dmin * min.
template <std::size_t SubBlocks, int MaxCode, int MaxScale>
class AffineSuperBlock {
public:
    static constexpr std::size_t kLength = kSuperBlock / SubBlocks;
    using Part = std::span<const float, kLength>;

    /// The search, spec "quantisation" 2, with scales, mins and super-scales refined together.
    static AffineSuperBlock search(SuperBlockSpan x, SuperBlockSpan w, const TrialGrid& grid) {
        AffineSuperBlock best = round_plainly(x, w);
        const auto searched = from_fits(x, w, [&](Part values, Part weights) {
            return fit_affine(values, weights, kMaxCode, OffsetSign::NotNegative, grid);
        });
        if (searched.error_ < best.error_) best = searched;
        for (int round = 0; round < 2 && best.refine_scales(x, w); ++round)
            best.refine_supers(x, w);
        return best;
    }

    /// Nearest codes without any search, for comparison.
    static AffineSuperBlock round_plainly(SuperBlockSpan x, SuperBlockSpan w) {
        return from_fits(x, w, [](Part values, Part) {
            const auto [low, high] = std::minmax_element(values.begin(), values.end());
            const float min = std::min(*low, 0.0F);
            return AffineFit{(*high - min) / kMaxCode, -min, 0.0F};
        });
    }

    float d() const noexcept { return d_; }
    float dmin() const noexcept { return dmin_; }
    std::uint32_t scale(std::size_t j) const noexcept { return scales_[j]; }
    std::uint32_t min(std::size_t j) const noexcept { return mins_[j]; }
    float error() const noexcept { return error_; }

    /// Code of every element.
    std::array<std::uint8_t, kSuperBlock> codes(SuperBlockSpan x) const {
        std::array<std::uint8_t, kSuperBlock> result{};
        for (std::size_t i = 0; i < kSuperBlock; ++i) {
            const std::size_t j = i / kLength;
            const float inverse = inverse_of(step(j));
            const float code = nearest_code(inverse * (x[i] + offset(j)), 0.0F, kMaxCode);
            result[i] = static_cast<std::uint8_t>(code);
        }
        return result;
    }

private:
    static constexpr auto kMaxCode = static_cast<float>(MaxCode);
    static constexpr auto kMaxScale = static_cast<float>(MaxScale);

    static Part part(SuperBlockSpan all, std::size_t j) {
        return Part(all.subspan(j * kLength, kLength));
    }
    float step(std::size_t j) const noexcept { return d_ * static_cast<float>(scales_[j]); }
    float offset(std::size_t j) const noexcept { return dmin_ * static_cast<float>(mins_[j]); }

    /// Super-scales by the largest scale and offset, the others rounded to the nearest multiple.
    template <typename Fit>
    static AffineSuperBlock from_fits(SuperBlockSpan x, SuperBlockSpan w, Fit&& fit) {
        std::array<AffineFit, SubBlocks> fits;
        AffineSuperBlock block;
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            fits[j] = fit(part(x, j), part(w, j));
            block.d_ = std::max(block.d_, fits[j].scale);
            block.dmin_ = std::max(block.dmin_, fits[j].offset);
        }
        block.d_ = positive_half(block.d_ / kMaxScale);
        block.dmin_ = positive_half(block.dmin_ / kMaxScale);
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            block.scales_[j] = multiple(fits[j].scale, block.d_);
            block.mins_[j] = multiple(fits[j].offset, block.dmin_);
        }
        block.measure(x, w);
        return block;
    }

    static std::uint8_t multiple(float value, float unit) noexcept {
        return static_cast<std::uint8_t>(nearest_code(value * inverse_of(unit), 0.0F, kMaxScale));
    }

    float part_error(SuperBlockSpan x, SuperBlockSpan w, std::size_t j) const noexcept {
        return code_error(part(x, j), part(w, j), step(j), offset(j), 0.0F, kMaxCode);
    }

    void measure(SuperBlockSpan x, SuperBlockSpan w) {
        error_ = 0;
        for (std::size_t j = 0; j < SubBlocks; ++j) error_ += part_error(x, w, j);
    }

    /// Tries the neighbours of each scale and min. @return whether anything changed
    bool refine_scales(SuperBlockSpan x, SuperBlockSpan w) {
        bool has_changed = false;
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            float best = part_error(x, w, j);
            const int scale = scales_[j];
            const int min = mins_[j];
            AffineSuperBlock trial = *this;
            for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, MaxScale); ++s) {
                for (int m = std::max(min - 1, 0); m <= std::min(min + 1, MaxScale); ++m) {
                    trial.scales_[j] = static_cast<std::uint8_t>(s);
                    trial.mins_[j] = static_cast<std::uint8_t>(m);
                    const float error = trial.part_error(x, w, j);
                    if (!(error < best)) continue;
                    best = error;
                    scales_[j] = trial.scales_[j];
                    mins_[j] = trial.mins_[j];
                    has_changed = true;
                }
            }
        }
        measure(x, w);
        return has_changed;
    }

    /// The best super-scales for the codes at hand, kept if they are better after rounding.
    void refine_supers(SuperBlockSpan x, SuperBlockSpan w) {
        double aa = 0;
        double ab = 0;
        double bb = 0;
        double ax = 0;
        double bx = 0;
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            const CodeSums c =
                code_sums(part(x, j), part(w, j), inverse_of(step(j)), offset(j), 0.0F, kMaxCode);
            const ValueSums v = value_sums(part(x, j), part(w, j));
            const double scale = scales_[j];
            const double min = mins_[j];
            aa += scale * scale * static_cast<double>(c.wcc);
            ab += scale * min * static_cast<double>(c.wc);
            bb += min * min * static_cast<double>(v.w);
            ax += scale * static_cast<double>(c.wcx);
            bx += min * static_cast<double>(v.wx);
        }
        const double determinant = aa * bb - ab * ab;
        AffineSuperBlock trial = *this;
        if (determinant > 1e-9 * aa * bb) {
            trial.d_ = positive_half(static_cast<float>((ax * bb - bx * ab) / determinant));
            trial.dmin_ = positive_half(static_cast<float>((ax * ab - bx * aa) / determinant));
        } else if (aa > 0) {
            trial.d_ = positive_half(static_cast<float>(ax / aa));
        }
        trial.measure(x, w);
        if (trial.error_ < error_) *this = trial;
    }

    float d_ = 0;
    float dmin_ = 0;
    std::array<std::uint8_t, SubBlocks> scales_{};
    std::array<std::uint8_t, SubBlocks> mins_{};
    float error_ = 0;
};

/// Q3_K and Q6_K: value = d * scale * code with signed scales of 16 sub-blocks and codes from
/// LowestCode.
template <int LowestCode, int LowestScale>
class SymmetricSuperBlock {
public:
    static constexpr std::size_t kSubBlocks = 16;
    static constexpr std::size_t kLength = 16;
    using Part = std::span<const float, kLength>;

    static SymmetricSuperBlock search(SuperBlockSpan x, SuperBlockSpan w) {
        SymmetricSuperBlock best = round_plainly(x, w);
        const auto searched = from_fits(x, w, [](Part values, Part weights) {
            return fit_scale(values, weights, kLowest, kHighest).scale;
        });
        if (searched.error_ < best.error_) best = searched;
        for (int round = 0; round < 2 && best.refine_scales(x, w); ++round) best.refine_super(x, w);
        return best;
    }

    /// Nearest codes without any search, for comparison.
    static SymmetricSuperBlock round_plainly(SuperBlockSpan x, SuperBlockSpan w) {
        return from_fits(x, w, [](Part values, Part) {
            const auto extreme =
                std::max_element(values.begin(), values.end(),
                                 [](float a, float b) { return std::fabs(a) < std::fabs(b); });
            return *extreme / kLowest;
        });
    }

    float d() const noexcept { return d_; }
    int scale(std::size_t j) const noexcept { return scales_[j]; }
    float error() const noexcept { return error_; }

    /// Code of every element, counted from LowestCode.
    std::array<std::uint8_t, kSuperBlock> codes(SuperBlockSpan x) const {
        std::array<std::uint8_t, kSuperBlock> result{};
        for (std::size_t i = 0; i < kSuperBlock; ++i) {
            const float inverse = inverse_of(step(i / kLength));
            const float code = nearest_code(inverse * x[i], kLowest, kHighest);
            result[i] = static_cast<std::uint8_t>(static_cast<int>(code) - LowestCode);
        }
        return result;
    }

private:
    static constexpr auto kLowest = static_cast<float>(LowestCode);
    static constexpr float kHighest = -kLowest - 1.0F;
    static constexpr int kHighestScale = -LowestScale - 1;

    static Part part(SuperBlockSpan all, std::size_t j) {
        return Part(all.subspan(j * kLength, kLength));
    }
    float step(std::size_t j) const noexcept { return d_ * static_cast<float>(scales_[j]); }

    /// The largest scale becomes LowestScale, which may make d negative.
    template <typename Fit>
    static SymmetricSuperBlock from_fits(SuperBlockSpan x, SuperBlockSpan w, Fit&& fit) {
        std::array<float, kSubBlocks> fits{};
        float extreme = 0;
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            fits[j] = fit(part(x, j), part(w, j));
            if (std::fabs(fits[j]) > std::fabs(extreme)) extreme = fits[j];
        }
        SymmetricSuperBlock block;
        block.d_ = signed_half(extreme / static_cast<float>(LowestScale));
        const float inverse = inverse_of(block.d_);
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            block.scales_[j] = static_cast<std::int8_t>(
                nearest_code(fits[j] * inverse, static_cast<float>(LowestScale),
                             static_cast<float>(kHighestScale)));
        }
        block.measure(x, w);
        return block;
    }

    static float signed_half(float value) noexcept {
        return std::copysign(positive_half(std::fabs(value)), value);
    }

    float part_error(SuperBlockSpan x, SuperBlockSpan w, std::size_t j) const noexcept {
        return code_error(part(x, j), part(w, j), step(j), 0.0F, kLowest, kHighest);
    }

    void measure(SuperBlockSpan x, SuperBlockSpan w) {
        error_ = 0;
        for (std::size_t j = 0; j < kSubBlocks; ++j) error_ += part_error(x, w, j);
    }

    bool refine_scales(SuperBlockSpan x, SuperBlockSpan w) {
        bool has_changed = false;
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            float best = part_error(x, w, j);
            const int scale = scales_[j];
            SymmetricSuperBlock trial = *this;
            for (int s = std::max(scale - 1, LowestScale); s <= std::min(scale + 1, kHighestScale);
                 ++s) {
                trial.scales_[j] = static_cast<std::int8_t>(s);
                const float error = trial.part_error(x, w, j);
                if (!(error < best)) continue;
                best = error;
                scales_[j] = trial.scales_[j];
                has_changed = true;
            }
        }
        measure(x, w);
        return has_changed;
    }

    void refine_super(SuperBlockSpan x, SuperBlockSpan w) {
        double cc = 0;
        double cx = 0;
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            const CodeSums c =
                code_sums(part(x, j), part(w, j), inverse_of(step(j)), 0.0F, kLowest, kHighest);
            const double scale = scales_[j];
            cc += scale * scale * static_cast<double>(c.wcc);
            cx += scale * static_cast<double>(c.wcx);
        }
        if (!(cc > 0)) return;
        SymmetricSuperBlock trial = *this;
        trial.d_ = signed_half(static_cast<float>(cx / cc));
        trial.measure(x, w);
        if (trial.error_ < error_) *this = trial;
    }

    float d_ = 0;
    std::array<std::int8_t, kSubBlocks> scales_{};
    float error_ = 0;
};

using Q2KBlock = AffineSuperBlock<16, 3, 15>;
using Q4KBlock = AffineSuperBlock<8, 15, 63>;
using Q5KBlock = AffineSuperBlock<8, 31, 63>;
using Q3KBlock = SymmetricSuperBlock<-4, -32>;
using Q6KBlock = SymmetricSuperBlock<-32, -128>;

}  // namespace espalier
