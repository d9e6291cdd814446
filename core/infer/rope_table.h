#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "infer/scratch.h"
#include "model/moe_config.h"

namespace espalier {

/// Cosines and sines of rotary embeddings for a run of positions, the same for every layer and
/// head, times the attention factor. Angles in double, rounded once.
class RopeTable {
public:
    explicit RopeTable(const RopeConfig& config);

    void prepare(std::int64_t first_position, std::size_t num_tokens);
    /// Turns a head of the batch's token `token`, in place; dimensions past the rotated ones stay.
    void rotate(std::size_t token, std::span<float> head) const;

private:
    RopeStyle style_;
    double factor_;
    std::vector<double> frequencies_;  ///< radians a position, [rotated_dims / 2]
    std::int64_t first_position_ = -1;
    std::size_t num_tokens_ = 0;
    Scratch<float> cosines_;
    Scratch<float> sines_;
};

}  // namespace espalier
