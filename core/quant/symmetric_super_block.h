#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/fit_codes.h"
#include "quant/super_block.h"

namespace espalier {

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
            return kernels::fit_scale(values, weights, kLowest).scale;
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
            const float inverse = kernels::inverse_of(step(i / kLength));
            const float code = kernels::nearest_code(inverse * x[i], kLowest, kHighest);
            result[i] = static_cast<std::uint8_t>(static_cast<int>(code) - LowestCode);
        }
        return result;
    }

private:
    static constexpr auto kLowest = static_cast<float>(LowestCode);
    static constexpr float kHighest = -kLowest - 1.0F;
    static constexpr kernels::CodeRange kRange{kLowest, kHighest};
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
        const float inverse = kernels::inverse_of(block.d_);
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            block.scales_[j] = static_cast<std::int8_t>(
                kernels::nearest_code(fits[j] * inverse, static_cast<float>(LowestScale),
                                      static_cast<float>(kHighestScale)));
        }
        block.measure(x, w);
        return block;
    }

    static float signed_half(float value) noexcept {
        return std::copysign(positive_half(std::fabs(value)), value);
    }

    float part_error(SuperBlockSpan x, SuperBlockSpan w, std::size_t j) const noexcept {
        return kernels::code_error(part(x, j), part(w, j), step(j), 0.0F, kRange);
    }

    void measure(SuperBlockSpan x, SuperBlockSpan w) {
        error_ = 0;
        for (std::size_t j = 0; j < kSubBlocks; ++j) error_ += part_error(x, w, j);
    }

    /// Tries the four scales below and above each. @return whether anything changed
    bool refine_scales(SuperBlockSpan x, SuperBlockSpan w) {
        bool has_changed = false;
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            std::array<std::int8_t, kernels::kNumCandidates> scales{};
            kernels::Candidates candidates;
            for (std::size_t k = 0; k < kernels::kNumCandidates; ++k) {
                const int distance = k < 4 ? static_cast<int>(k) - 4 : static_cast<int>(k) - 3;
                scales[k] = static_cast<std::int8_t>(
                    std::clamp(scales_[j] + distance, LowestScale, kHighestScale));
                candidates.scales[k] = d_ * static_cast<float>(scales[k]);
            }
            std::array<float, kernels::kNumCandidates> errors{};
            kernels::candidate_errors(part(x, j), part(w, j), candidates, kRange, errors);
            const auto best = std::min_element(errors.begin(), errors.end());
            if (!(*best < part_error(x, w, j))) continue;
            scales_[j] = scales[static_cast<std::size_t>(best - errors.begin())];
            has_changed = true;
        }
        measure(x, w);
        return has_changed;
    }

    /// The best super-scale for the codes at hand, kept if it is better after rounding.
    void refine_super(SuperBlockSpan x, SuperBlockSpan w) {
        double cc = 0;
        double cx = 0;
        for (std::size_t j = 0; j < kSubBlocks; ++j) {
            const kernels::CodeSums c = kernels::code_sums(
                part(x, j), part(w, j), kernels::inverse_of(step(j)), 0.0F, kRange);
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

using Q3KBlock = SymmetricSuperBlock<-4, -32>;
using Q6KBlock = SymmetricSuperBlock<-32, -128>;

}  // namespace espalier
