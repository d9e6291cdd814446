#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "infer/scratch.h"
#include "model/moe_config.h"

namespace espalier {

/// Cosines and sines of rotary embeddings for a run of positions, the same for every layer and
/// head. Angles in double, rounded once.
class RopeTable {
public:
    explicit RopeTable(const RopeConfig& config);

    void prepare(std::int64_t first_position, std::size_t num_tokens);
    std::span<const float> cosines(std::size_t token) const;
    std::span<const float> sines(std::size_t token) const;

private:
    std::vector<double> frequencies_;  ///< radians a position, [rotated_dims / 2]
    Scratch<float> cosines_;
    Scratch<float> sines_;
};

}  // namespace espalier
