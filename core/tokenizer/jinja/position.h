#pragma once

#include <cstdint>

namespace espalier::jinja {

/// Where something stands in the template; both count from 1, columns in characters.
struct Position {
    std::int32_t line = 1;
    std::int32_t column = 1;
};

}  // namespace espalier::jinja
