#include "infer/rope_table.h"

#include <cmath>

namespace espalier {

RopeTable::RopeTable(const RopeConfig& config) {
    const auto half = static_cast<std::size_t>(config.rotated_dims / 2);
    for (std::size_t i = 0; i < half; ++i) {
        const double exponent =
            -2.0 * static_cast<double>(i) / static_cast<double>(config.rotated_dims);
        frequencies_.push_back(std::pow(config.theta, exponent));
    }
}

void RopeTable::prepare(std::int64_t first_position, std::size_t num_tokens) {
    const std::size_t half = frequencies_.size();
    const auto cosines = cosines_.take(num_tokens * half);
    const auto sines = sines_.take(num_tokens * half);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        const double position = static_cast<double>(first_position) + static_cast<double>(t);
        for (std::size_t i = 0; i < half; ++i) {
            const double angle = position * frequencies_[i];
            cosines[t * half + i] = static_cast<float>(std::cos(angle));
            sines[t * half + i] = static_cast<float>(std::sin(angle));
        }
    }
}

std::span<const float> RopeTable::cosines(std::size_t token) const {
    const std::size_t half = frequencies_.size();
    return cosines_.first((token + 1) * half).subspan(token * half);
}

std::span<const float> RopeTable::sines(std::size_t token) const {
    const std::size_t half = frequencies_.size();
    return sines_.first((token + 1) * half).subspan(token * half);
}

}  // namespace espalier
