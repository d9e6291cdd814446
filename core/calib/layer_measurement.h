#pragma once

#include <cstddef>
#include <map>
#include <span>

#include "model/tensor_role.h"
#include "routing/expert_stats.h"

namespace espalier {

/// What some tokens showed of one layer. Sums, so that parts add up.
struct LayerMeasurement {
    LayerStats stats;  ///< empty vectors for a dense layer
    /// Of matrices that are no expert's.
    std::map<TensorRole, InputEnergy> energies;
};

/// Of rows [num_tokens, columns].
InputEnergy energy_of(std::span<const float> rows, std::size_t num_tokens);

void add_energy(InputEnergy& sum, const InputEnergy& part);

/// Adds `part`. Called in the order of the parts, so that the sums have the same bits however the
/// parts were computed.
void add_measurement(LayerMeasurement& sum, const LayerMeasurement& part);

}  // namespace espalier
