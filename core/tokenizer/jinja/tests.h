#pragma once

#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

using Test = bool (*)(Evaluator&, const Value& input, const Arguments&);

/// Null if there is none of that name.
Test find_test(std::string_view name);

}  // namespace espalier::jinja
