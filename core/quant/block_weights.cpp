#include "quant/block_weights.h"

#include <cmath>
#include <cstddef>

namespace espalier {

void block_weights(std::span<const float> values, std::span<const float> importance,
                   std::span<float> weights) {
    double energy = 0;
    for (const float value : values) energy += static_cast<double>(value) * value;
    const auto mean_energy = static_cast<float>(2.0 * energy / static_cast<double>(values.size()));
    // Relative to the block's own size and importance, so that no sum of weights over- or
    // underflows.
    const float unit = mean_energy > 0.0F ? 1.0F / std::sqrt(mean_energy) : 0.0F;
    double total_importance = 0;
    for (const float a : importance) total_importance += static_cast<double>(a);
    const bool is_weighted = total_importance > 0.0;
    const double scale = is_weighted ? static_cast<double>(values.size()) / total_importance : 1.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float relative = values[i] * unit;
        weights[i] = is_weighted ? static_cast<float>(static_cast<double>(importance[i]) * scale) *
                                       std::sqrt(1.0F + relative * relative)
                                 : 1.0F + std::fabs(relative);
    }
}

}  // namespace espalier
