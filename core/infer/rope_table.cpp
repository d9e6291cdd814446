#include "infer/rope_table.h"

#include <cmath>

#include "kernels/vector_ops.h"
#include "model/rope_frequencies.h"

namespace espalier {

RopeTable::RopeTable(const RopeConfig& config)
    : style_(config.style),
      factor_(config.attention_factor),
      frequencies_(rope_frequencies(config)) {}

void RopeTable::prepare(std::int64_t first_position, std::size_t num_tokens) {
    // Every layer asks for the same positions.
    if (first_position == first_position_ && num_tokens == num_tokens_) return;
    const std::size_t half = frequencies_.size();
    const auto cosines = cosines_.take(num_tokens * half);
    const auto sines = sines_.take(num_tokens * half);
    for (std::size_t t = 0; t < num_tokens; ++t) {
        const double position = static_cast<double>(first_position) + static_cast<double>(t);
        for (std::size_t i = 0; i < half; ++i) {
            const double angle = position * frequencies_[i];
            cosines[t * half + i] = static_cast<float>(std::cos(angle) * factor_);
            sines[t * half + i] = static_cast<float>(std::sin(angle) * factor_);
        }
    }
    first_position_ = first_position;
    num_tokens_ = num_tokens;
}

void RopeTable::rotate(std::size_t token, std::span<float> head) const {
    const std::size_t half = frequencies_.size();
    const auto cosines = cosines_.first((token + 1) * half).subspan(token * half);
    const auto sines = sines_.first((token + 1) * half).subspan(token * half);
    if (style_ == RopeStyle::Pairs) {
        kernels::rope_pairs(head, cosines, sines);
    } else {
        kernels::rope(head, cosines, sines);
    }
}

}  // namespace espalier
