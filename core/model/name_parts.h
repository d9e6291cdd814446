#pragma once

#include <array>
#include <cstddef>

#include "model/tensor_names.h"

namespace espalier {

/// One table from parts that families share.
template <std::size_t... Sizes>
constexpr auto join_names(const std::array<TensorName, Sizes>&... parts) {
    std::array<TensorName, (Sizes + ...)> all{};
    std::size_t at = 0;
    const auto append = [&](const auto& part) {
        for (const TensorName& row : part) all[at++] = row;
    };
    (append(parts), ...);
    return all;
}

}  // namespace espalier
