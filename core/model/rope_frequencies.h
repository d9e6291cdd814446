#pragma once

#include <vector>

#include "model/moe_config.h"

namespace espalier {

/// Radians that each rotated pair turns per position, [rotated_dims / 2]; the base is theta^(-2i/r)
/// and the scaling stretches it. Whatever the length of the text at hand. In double: engines
/// multiply by the position before they round.
/// Yarn: arXiv 2309.00071. Llama3: the frequencies below a corner are divided by the factor.
std::vector<double> rope_frequencies(const RopeConfig& rope);

}  // namespace espalier
