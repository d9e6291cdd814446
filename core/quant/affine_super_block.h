#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/fit_codes.h"
#include "quant/super_block.h"

namespace espalier {

/// Q2_K, Q4_K, Q5_K: value = d * scale * code - dmin * min.
template <std::size_t SubBlocks, int MaxCode, int MaxScale>
class AffineSuperBlock {
public:
    static constexpr std::size_t kLength = kSuperBlock / SubBlocks;
    using Part = std::span<const float, kLength>;

    /// The search, spec "quantisation" 2, with scales, mins and super-scales refined together.
    static AffineSuperBlock search(SuperBlockSpan x, SuperBlockSpan w) {
        AffineSuperBlock best = round_plainly(x, w);
        const auto searched = from_fits(x, w, [](Part values, Part weights) {
            return kernels::fit_affine(values, weights, kMaxCode, kernels::OffsetSign::NotNegative);
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
            return kernels::AffineFit{(*high - min) / kMaxCode, -min, 0.0F};
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
            const float inverse = kernels::inverse_of(step(j));
            const float code = kernels::nearest_code(inverse * (x[i] + offset(j)), 0.0F, kMaxCode);
            result[i] = static_cast<std::uint8_t>(code);
        }
        return result;
    }

private:
    static constexpr auto kMaxCode = static_cast<float>(MaxCode);
    static constexpr auto kMaxScale = static_cast<float>(MaxScale);
    static constexpr kernels::CodeRange kRange{0.0F, kMaxCode};

    static Part part(SuperBlockSpan all, std::size_t j) {
        return Part(all.subspan(j * kLength, kLength));
    }
    float step(std::size_t j) const noexcept { return d_ * static_cast<float>(scales_[j]); }
    float offset(std::size_t j) const noexcept { return dmin_ * static_cast<float>(mins_[j]); }

    /// Super-scales by the largest scale and offset, the others rounded to the nearest multiple.
    template <typename Fit>
    static AffineSuperBlock from_fits(SuperBlockSpan x, SuperBlockSpan w, Fit&& fit) {
        std::array<kernels::AffineFit, SubBlocks> fits;
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
        return static_cast<std::uint8_t>(
            kernels::nearest_code(value * kernels::inverse_of(unit), 0.0F, kMaxScale));
    }

    float part_error(SuperBlockSpan x, SuperBlockSpan w, std::size_t j) const noexcept {
        return kernels::code_error(part(x, j), part(w, j), step(j), offset(j), kRange);
    }

    void measure(SuperBlockSpan x, SuperBlockSpan w) {
        error_ = 0;
        for (std::size_t j = 0; j < SubBlocks; ++j) error_ += part_error(x, w, j);
    }

    /// Tries the eight neighbours of each pair of scale and min. @return whether anything changed
    bool refine_scales(SuperBlockSpan x, SuperBlockSpan w) {
        bool has_changed = false;
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            std::array<std::uint8_t, kernels::kNumCandidates> scales{};
            std::array<std::uint8_t, kernels::kNumCandidates> mins{};
            kernels::Candidates candidates;
            for (std::size_t k = 0; k < kernels::kNumCandidates; ++k) {
                const std::size_t place = k < 4 ? k : k + 1;  // of 3 x 3 without the middle
                scales[k] = neighbour(scales_[j], static_cast<int>(place / 3) - 1);
                mins[k] = neighbour(mins_[j], static_cast<int>(place % 3) - 1);
                candidates.scales[k] = d_ * static_cast<float>(scales[k]);
                candidates.offsets[k] = dmin_ * static_cast<float>(mins[k]);
            }
            std::array<float, kernels::kNumCandidates> errors{};
            kernels::candidate_errors(part(x, j), part(w, j), candidates, kRange, errors);
            const auto best = std::min_element(errors.begin(), errors.end());
            if (!(*best < part_error(x, w, j))) continue;
            scales_[j] = scales[static_cast<std::size_t>(best - errors.begin())];
            mins_[j] = mins[static_cast<std::size_t>(best - errors.begin())];
            has_changed = true;
        }
        measure(x, w);
        return has_changed;
    }

    static std::uint8_t neighbour(int value, int step) noexcept {
        return static_cast<std::uint8_t>(std::clamp(value + step, 0, MaxScale));
    }

    /// The best super-scales for the codes at hand, kept if they are better after rounding.
    void refine_supers(SuperBlockSpan x, SuperBlockSpan w) {
        double aa = 0;
        double ab = 0;
        double bb = 0;
        double ax = 0;
        double bx = 0;
        for (std::size_t j = 0; j < SubBlocks; ++j) {
            const kernels::CodeSums c = kernels::code_sums(
                part(x, j), part(w, j), kernels::inverse_of(step(j)), offset(j), kRange);
            const kernels::ValueSums v = kernels::value_sums(part(x, j), part(w, j));
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

using Q2KBlock = AffineSuperBlock<16, 3, 15>;
using Q4KBlock = AffineSuperBlock<8, 15, 63>;
using Q5KBlock = AffineSuperBlock<8, 31, 63>;

}  // namespace espalier
