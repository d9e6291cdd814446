#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace espalier {

/// True if `text` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_valid_utf8(std::string_view text) noexcept;

/// Well-formed copy of `text` with U+FFFD for every maximal ill-formed prefix, as browsers do.
std::string replace_invalid_utf8(std::string_view text);

}  // namespace espalier
