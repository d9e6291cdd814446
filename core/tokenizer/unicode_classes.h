#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tokenizer/code_points.h"

namespace espalier {

/// Classes of Unicode 16.0, which tokenizers are defined by, whatever the platform's tables are.

/// Code points whose general category is in `mask`, a bit for each of ICU's UCharCategory.
CodePoints general_categories(std::uint32_t mask);

/// A property as regular expressions name it in \p{…}: general categories, scripts, binary
/// properties, POSIX brackets; spaces, `_`, `-` and case do not matter. Nothing if there is none of
/// that name.
std::optional<CodePoints> property_class(std::string_view name);

/// The 25 code points of White_Space.
bool is_white_space(char32_t code_point) noexcept;
CodePoints white_space_class();

/// What `\w` is to Oniguruma: letters, marks, numbers, connectors, and circled letters.
CodePoints word_class();
/// What `\w` is to added tokens (UTS 18 annex C): alphabetic, mark, decimal digit, connector, join
/// control.
CodePoints uts18_word_class();

}  // namespace espalier
