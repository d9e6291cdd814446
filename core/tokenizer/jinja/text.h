#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::jinja {

/// Python's str over UTF-8: what counts characters, cases and blanks.

std::int64_t count_characters(std::string_view text);
std::vector<std::string> characters(std::string_view text);
/// Position in characters of byte `offset`.
std::int64_t character_index(std::string_view text, std::size_t offset);
/// The first `count` characters.
std::string_view first_characters(std::string_view text, std::int64_t count);

bool is_space(char32_t character) noexcept;
/// Without characters of `set` at the ends; blanks if there is no set.
std::string_view strip_left(std::string_view text, std::optional<std::string_view> set = {});
std::string_view strip_right(std::string_view text, std::optional<std::string_view> set = {});
std::string_view strip(std::string_view text, std::optional<std::string_view> set = {});

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string fold_case(std::string_view text);
/// Every first letter of a run of cased ones, as str.title().
std::string to_title(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);

/// At least one cased character, and all those of that case.
bool is_upper(std::string_view text);
bool is_lower(std::string_view text);

/// @param max_count cuts at most; negative: no limit
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t max_count = -1);
std::vector<std::string> split_at(std::string_view text, std::string_view separator,
                                  std::int64_t max_count);
std::vector<std::string> split_at_right(std::string_view text, std::string_view separator,
                                        std::int64_t max_count);
std::vector<std::string> split_at_blanks(std::string_view text, std::int64_t max_count);
std::vector<std::string> split_at_blanks_right(std::string_view text, std::int64_t max_count);
std::vector<std::string> split_lines(std::string_view text, bool keeps_ends = false);

enum class Alignment { Left, Right, Center };
/// Padded with `fill`, one character, to `width` characters.
std::string pad(std::string_view text, std::int64_t width, Alignment alignment,
                std::string_view fill = " ");

}  // namespace espalier::jinja
