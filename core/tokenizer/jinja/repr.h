#pragma once

#include <string>
#include <string_view>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Python's str(…): what {{ … }} prints; nothing for undefined.
std::string to_text(const Value& value);
/// Python's repr(…): strings in quotes.
std::string repr(const Value& value);
/// Shortest digits that read back the same; exponents below 1e-4 and from 1e16.
std::string float_text(double value);
/// In single quotes, or double ones if it holds single ones only; unprintable characters escaped.
std::string quote_text(std::string_view text);

}  // namespace espalier::jinja
