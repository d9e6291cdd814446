#pragma once

#include <optional>
#include <utility>

#include "base/error.h"

namespace espalier::test {

/// The Error that `call` throws, or nothing.
template <typename Call>
std::optional<Error> error_of(Call&& call) {
    try {
        std::forward<Call>(call)();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

}  // namespace espalier::test
