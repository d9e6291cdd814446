#pragma once

#include <span>

namespace espalier {

/// Weight of each element of a block in the error that the encoders minimise: with importances a
/// (one a column) a * sqrt(s + x^2), without sqrt(s) + |x|, where s = 2 * mean(x^2); large elements
/// matter more than their number. spec "quantisation" 2. All three spans have the block's length.
/// @param importance may be empty
void block_weights(std::span<const float> values, std::span<const float> importance,
                   std::span<float> weights);

}  // namespace espalier
