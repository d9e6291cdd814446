#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Arguments of a filter, test or method, put in the order of its parameters. Those that are not
/// given, or given as none, take the fallback.
class BoundArguments {
public:
    /// @param num_required of the first parameters
    /// @throws Fault Type for too many, too few, unknown or repeated ones
    BoundArguments(std::string_view callee, const Arguments& arguments,
                   std::initializer_list<std::string_view> parameters,
                   std::size_t num_required = 0);

    /// Null if it is not given.
    const Value* find(std::size_t index) const noexcept { return values_[index]; }
    Value value(std::size_t index, Value fallback = None{}) const;
    /// @throws Fault Type if it is no integer
    std::int64_t integer(std::size_t index, std::int64_t fallback) const;
    bool truth(std::size_t index, bool fallback) const;
    /// Whatever it is, as text.
    std::string text(std::size_t index, std::string_view fallback) const;
    /// @throws Fault Type if it is no text
    std::string string(std::size_t index, std::string_view fallback) const;

private:
    std::string callee_;
    std::vector<const Value*> values_;  ///< into the Arguments
};

}  // namespace espalier::jinja
