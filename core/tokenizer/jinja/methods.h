#pragma once

#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

using Method = Value (*)(Evaluator&, const Value& self, const Arguments&);

struct MethodRow {
    std::string_view name;
    Method method;
};

/// A method of Python's str, dict, list, tuple, int or float; null if the type has none of that
/// name.
Method find_method(const Value& self, std::string_view name);
Method find_text_method(std::string_view name);
Method find_container_method(const Value& self, std::string_view name);

/// True for methods that exist but would change their object.
bool is_changing_method(const Value& self, std::string_view name);

}  // namespace espalier::jinja
