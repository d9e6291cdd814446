#pragma once

#include <string>
#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Python's `format % values`; `values` is a tuple, a map for %(name)s, or a single value.
std::string percent_format(std::string_view format, const Value& values);

}  // namespace espalier::jinja
