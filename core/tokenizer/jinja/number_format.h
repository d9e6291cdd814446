#pragma once

#include <optional>
#include <string>

#include "tokenizer/jinja/value.h"

namespace espalier::jinja {

/// What a conversion such as `%05.2f` or `{:>8d}` asks for.
struct NumberFormat {
    char type = 's';
    bool is_left = false;  ///< % formats: "-"
    bool pads_with_zeros = false;
    bool is_alternate = false;  ///< "#"
    bool groups_thousands = false;
    char sign = '-';  ///< '+', ' ' or '-'
    std::int64_t width = 0;
    std::optional<int> precision;
};

/// The number without padding, but for leading zeros up to the width. @param value an int or a
/// float
/// @throws Fault Type for a conversion that does not fit
std::string format_number(const Value& value, const NumberFormat& format);

}  // namespace espalier::jinja
