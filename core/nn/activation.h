#pragma once

#include <torch/types.h>

#include "model/moe_config.h"

namespace espalier {

/// What an expert's down matrix is multiplied with, from what its gate and up matrices give.
/// @param gate, up [rows, width]
torch::Tensor activate(const ExpertConfig& config, const torch::Tensor& gate,
                       const torch::Tensor& up);

}  // namespace espalier
