#pragma once

#include <string>
#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Python's str.format: {} {0} {name} {0.key} {0[key]}, !r, !s, and the usual format
/// specifications. Attributes are looked up in maps and lists alone.
std::string brace_format(std::string_view format, const Arguments& arguments);

}  // namespace espalier::jinja
