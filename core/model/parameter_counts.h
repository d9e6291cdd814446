#pragma once

#include <cstdint>

#include "model/moe_config.h"

namespace espalier {

struct ParameterCounts {
    std::uint64_t total = 0;
    std::uint64_t active = 0;  ///< used for one token: k experts of each layer
};

ParameterCounts count_parameters(const MoeConfig& config);

}  // namespace espalier
