#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/tensor_role.h"
#include "routing/expert_stats.h"

namespace espalier {

/// Mean input energy per column for the matrix `key` (for experts: that expert's own, shrunk towards the
/// layer's mean with a prior of 64 tokens). Empty if the statistics do not have it.
std::vector<float> column_importance(const ExpertStats& stats, const TensorKey& key);

}  // namespace espalier
