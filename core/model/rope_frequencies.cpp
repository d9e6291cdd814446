#include "model/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace espalier {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;

/// 0 where a frequency stays as it is, 1 where it is divided by the factor; between two corners,
/// which are given in pairs, it rises evenly.
class YarnRamp {
public:
    explicit YarnRamp(const RopeConfig& rope) {
        const RopeScaling& scaling = rope.scaling;
        const auto dims = static_cast<double>(rope.rotated_dims);
        // The pair that turns `turns` times within the original context.
        const auto pair_of = [&](double turns) {
            return dims *
                   std::log(static_cast<double>(scaling.original_context) / (kTurn * turns)) /
                   (2.0 * std::log(rope.theta));
        };
        low_ = pair_of(scaling.beta_fast);
        high_ = pair_of(scaling.beta_slow);
        if (scaling.truncate) {
            low_ = std::floor(low_);
            high_ = std::ceil(high_);
        }
        low_ = std::max(low_, 0.0);
        high_ = std::min(high_, dims - 1.0);
        constexpr double kLeastWidth = 0.001;
        if (low_ == high_) high_ += kLeastWidth;
    }

    double at(std::size_t pair) const {
        return std::clamp((static_cast<double>(pair) - low_) / (high_ - low_), 0.0, 1.0);
    }

private:
    double low_ = 0.0;
    double high_ = 0.0;
};

double llama3_frequency(double frequency, const RopeScaling& scaling) {
    const double turns = frequency * static_cast<double>(scaling.original_context) / kTurn;
    if (turns > scaling.high_freq_factor) return frequency;
    if (turns < scaling.low_freq_factor) return frequency / scaling.factor;
    const double share =
        (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
    return (1.0 - share) * frequency / scaling.factor + share * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& rope) {
    const RopeScaling& scaling = rope.scaling;
    std::vector<double> frequencies(static_cast<std::size_t>(rope.rotated_dims / 2));
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const double exponent =
            -2.0 * static_cast<double>(i) / static_cast<double>(rope.rotated_dims);
        frequencies[i] = std::pow(rope.theta, exponent);
    }
    switch (scaling.kind) {
        case RopeScalingKind::None:
            break;
        case RopeScalingKind::Linear:
            for (double& frequency : frequencies) frequency /= scaling.factor;
            break;
        case RopeScalingKind::Yarn: {
            const YarnRamp ramp(rope);
            for (std::size_t i = 0; i < frequencies.size(); ++i) {
                frequencies[i] *= (1.0 - ramp.at(i)) + ramp.at(i) / scaling.factor;
            }
            break;
        }
        case RopeScalingKind::Llama3:
            for (double& frequency : frequencies) {
                frequency = llama3_frequency(frequency, scaling);
            }
            break;
    }
    return frequencies;
}

}  // namespace espalier
