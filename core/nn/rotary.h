#pragma once

#include <cstdint>
#include <torch/types.h>

#include "model/moe_config.h"

namespace espalier {

/// Rotary position embedding, either style. RoFormer, arXiv:2104.09864. Angles are computed in
/// double; the attention factor is part of cosines and sines.
class Rotary {
public:
    Rotary(const RopeConfig& config, std::int64_t max_length);

    /// Turns the first rotated_dims elements of every head.
    /// @param heads [length, heads, head_dim], positions from 0
    torch::Tensor apply(const torch::Tensor& heads) const;

private:
    RopeStyle style_;
    std::int64_t rotated_dims_;
    torch::Tensor cos_;  ///< [max_length, 1, rotated_dims / 2]
    torch::Tensor sin_;
};

}  // namespace espalier
