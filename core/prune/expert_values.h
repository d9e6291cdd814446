#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/model_source.h"

namespace espalier {

/// One expert in float32.
struct ExpertValues {
    std::size_t width = 0;
    std::size_t hidden = 0;
    std::vector<float> gate, up;            ///< [width, hidden]
    std::vector<float> down;                ///< [hidden, width]
    std::vector<float> gate_bias, up_bias;  ///< [width], or empty
};

ExpertValues read_expert(const ModelSource& model, std::int64_t layer, std::int32_t expert);

/// Adds weight * values to the sums, channel c of them where channel order[c] of the values was.
/// @param role of an expert; what has no channels (the bias of down) is added as it lies
/// @param order [width]; empty: every channel stays in place
void add_in_order(TensorRole role, std::span<const float> values,
                  std::span<const std::int32_t> order, double weight, std::span<double> sums);

}  // namespace espalier
