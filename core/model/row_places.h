#pragma once

#include <cstdint>
#include <vector>

#include "model/moe_config.h"
#include "model/tensor_names.h"

namespace espalier {

/// Rows of the stored matrix that a role of `num_rows` rows is taken from.
std::int64_t stored_rows(RowOrder order, std::int64_t num_rows, const MoeConfig& config);

/// Where each of the role's rows lies among the stored ones; empty: row r is stored row r.
/// @pre num_rows is what model_tensors() says of a role that has this order
std::vector<std::int32_t> row_places(RowOrder order, std::int64_t num_rows,
                                     const MoeConfig& config);

}  // namespace espalier
