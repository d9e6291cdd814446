#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// What filters compare by: the value itself, or what `attribute` ("a", "a.b", "0") finds in it.
class AttributePath {
public:
    /// @param attribute none: the value itself
    explicit AttributePath(const Value& attribute);

    Value of(Evaluator& evaluator, const Value& value) const;
    /// Lower case if it is text and `ignores_case`.
    Value key_of(Evaluator& evaluator, const Value& value, bool ignores_case) const;

private:
    std::vector<Value> keys_;
};

/// "a,b" as several paths.
std::vector<AttributePath> attribute_paths(const Value& attributes);

}  // namespace espalier::jinja
