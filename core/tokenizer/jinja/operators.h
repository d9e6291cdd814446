#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// Python's ==.
bool equal(const Value& a, const Value& b);
/// Python's <. @throws Fault Type or Undefined where there is no order
bool less(const Value& a, const Value& b);
/// `item in container`.
bool contains(const Value& container, const Value& item);

/// + - * / // % **. @throws Fault
Value arithmetic(std::string_view op, const Value& a, const Value& b);
Value negate(const Value& value);

/// len(…): characters of text, entries of containers, 0 of undefined.
std::int64_t length(const Value& value);
/// What a loop would walk over; an iterator is spent by it. @throws Fault Type
std::vector<Value> iterate(const Value& value);
bool is_iterable(const Value& value);

/// x[start:stop:step]; each may be none.
Value slice(const Value& value, const Value& start, const Value& stop, const Value& step);

/// Raises the fault of an undefined value that is about to be used.
void require_defined(const Value& value);

}  // namespace espalier::jinja
