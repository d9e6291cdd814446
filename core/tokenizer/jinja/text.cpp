#include "tokenizer/jinja/text.h"

#include <algorithm>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "tokenizer/jinja/fault.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxBytes = 64U << 20U;

void check_size(std::size_t bytes) {
    if (bytes > kMaxBytes) throw Fault(FaultKind::Limit, "a text grew too large");
}

icu::UnicodeString wide(std::string_view text) {
    return icu::UnicodeString::fromUTF8(
        icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string narrow(const icu::UnicodeString& text) {
    std::string result;
    text.toUTF8String(result);
    return result;
}

bool is_in(char32_t character, std::string_view set) {
    for (std::size_t i = 0; i < set.size();) {
        if (next_code_point(set, i) == character) return true;
    }
    return false;
}

bool is_stripped(char32_t character, std::optional<std::string_view> set) {
    return set ? is_in(character, *set) : is_space(character);
}

std::string title_character(std::string_view character) {
    return narrow(wide(character).toTitle(nullptr, icu::Locale::getRoot()));
}

/// Bytes of the line end at the start of `text`, 0 if there is none; those of str.splitlines().
std::size_t line_end_bytes(std::string_view text) {
    if (text.starts_with("\r\n")) return 2;
    std::size_t position = 0;
    const char32_t c = next_code_point(text, position);
    const bool is_end = (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                        c == 0x2028 || c == 0x2029;
    return is_end ? position : 0;
}

std::vector<std::string> reversed(std::vector<std::string> parts) {
    std::reverse(parts.begin(), parts.end());
    return parts;
}

}  // namespace

std::int64_t count_characters(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
    });
}

std::vector<std::string> characters(std::string_view text) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text[i]);
        result.emplace_back(text.substr(i, length));
        i += length;
    }
    return result;
}

std::int64_t character_index(std::string_view text, std::size_t offset) {
    return count_characters(text.substr(0, offset));
}

std::string_view first_characters(std::string_view text, std::int64_t count) {
    std::size_t position = 0;
    for (; count > 0 && position < text.size(); --count) position += utf8_length(text[position]);
    return text.substr(0, position);
}

bool is_space(char32_t character) noexcept {
    return is_white_space(character) || (character >= 0x1C && character <= 0x1F);
}

std::string_view strip_left(std::string_view text, std::optional<std::string_view> set) {
    while (!text.empty()) {
        std::size_t next = 0;
        if (!is_stripped(next_code_point(text, next), set)) break;
        text.remove_prefix(next);
    }
    return text;
}

std::string_view strip_right(std::string_view text, std::optional<std::string_view> set) {
    while (!text.empty()) {
        const std::size_t start = previous_character(text, text.size());
        std::size_t position = start;
        if (!is_stripped(next_code_point(text, position), set)) break;
        text = text.substr(0, start);
    }
    return text;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> set) {
    return strip_right(strip_left(text, set), set);
}

std::string to_upper(std::string_view text) {
    return narrow(wide(text).toUpper(icu::Locale::getRoot()));
}

std::string to_lower(std::string_view text) {
    return narrow(wide(text).toLower(icu::Locale::getRoot()));
}

std::string fold_case(std::string_view text) { return narrow(wide(text).foldCase()); }

std::string to_title(std::string_view text) {
    std::string result;
    bool was_cased = false;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t start = i;
        const auto character = static_cast<UChar32>(next_code_point(text, i));
        const std::string_view bytes = text.substr(start, i - start);
        result += was_cased ? to_lower(bytes) : title_character(bytes);
        was_cased = u_hasBinaryProperty(character, UCHAR_CASED) != 0;
    }
    return result;
}

std::string capitalize(std::string_view text) {
    if (text.empty()) return {};
    const std::string_view first = first_characters(text, 1);
    return title_character(first) + to_lower(text.substr(first.size()));
}

std::string swap_case(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t start = i;
        const auto character = static_cast<UChar32>(next_code_point(text, i));
        const std::string_view bytes = text.substr(start, i - start);
        result += u_isUUppercase(character)   ? to_lower(bytes)
                  : u_isULowercase(character) ? to_upper(bytes)
                                              : std::string(bytes);
    }
    return result;
}

bool is_upper(std::string_view text) {
    bool has_cased = false;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<UChar32>(next_code_point(text, i));
        if (u_isULowercase(c) || u_charType(c) == U_TITLECASE_LETTER) return false;
        has_cased = has_cased || u_isUUppercase(c);
    }
    return has_cased;
}

bool is_lower(std::string_view text) {
    bool has_cased = false;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<UChar32>(next_code_point(text, i));
        if (u_isUUppercase(c) || u_charType(c) == U_TITLECASE_LETTER) return false;
        has_cased = has_cased || u_isULowercase(c);
    }
    return has_cased;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t max_count) {
    std::string result;
    std::size_t done = 0;
    std::size_t search = 0;
    while (max_count != 0) {
        const std::size_t found = from.empty() ? search : text.find(from, search);
        if (found == std::string_view::npos || found > text.size()) break;
        result += text.substr(done, found - done);
        result += to;
        check_size(result.size());
        done = found + from.size();
        // An empty pattern stands before every character and at the end.
        search = from.empty()
                     ? (found < text.size() ? found + utf8_length(text[found]) : text.size() + 1)
                     : done;
        --max_count;
    }
    if (done < text.size()) result += text.substr(done);
    return result;
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator,
                                  std::int64_t max_count) {
    if (separator.empty()) throw Fault(FaultKind::Type, "empty separator");
    std::vector<std::string> parts;
    for (; max_count != 0; --max_count) {
        const std::size_t found = text.find(separator);
        if (found == std::string_view::npos) break;
        parts.emplace_back(text.substr(0, found));
        text.remove_prefix(found + separator.size());
    }
    parts.emplace_back(text);
    return parts;
}

std::vector<std::string> split_at_right(std::string_view text, std::string_view separator,
                                        std::int64_t max_count) {
    if (separator.empty()) throw Fault(FaultKind::Type, "empty separator");
    std::vector<std::string> parts;
    for (; max_count != 0; --max_count) {
        const std::size_t found = text.rfind(separator);
        if (found == std::string_view::npos) break;
        parts.emplace_back(text.substr(found + separator.size()));
        text = text.substr(0, found);
    }
    parts.emplace_back(text);
    return reversed(std::move(parts));
}

std::vector<std::string> split_at_blanks(std::string_view text, std::int64_t max_count) {
    std::vector<std::string> parts;
    for (text = strip_left(text); !text.empty(); text = strip_left(text)) {
        std::size_t end = 0;
        while (end < text.size()) {
            std::size_t next = end;
            if (is_space(next_code_point(text, next))) break;
            end = next;
        }
        if (max_count-- == 0) {
            parts.emplace_back(text);
            break;
        }
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return parts;
}

std::vector<std::string> split_at_blanks_right(std::string_view text, std::int64_t max_count) {
    std::vector<std::string> parts;
    for (text = strip_right(text); !text.empty(); text = strip_right(text)) {
        if (max_count-- == 0) {
            parts.emplace_back(text);
            break;
        }
        std::size_t begin = text.size();
        while (begin > 0) {
            const std::size_t start = previous_character(text, begin);
            std::size_t position = start;
            if (is_space(next_code_point(text, position))) break;
            begin = start;
        }
        parts.emplace_back(text.substr(begin));
        text = text.substr(0, begin);
    }
    return reversed(std::move(parts));
}

std::vector<std::string> split_lines(std::string_view text, bool keeps_ends) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t end_bytes = line_end_bytes(text.substr(i));
        if (end_bytes == 0) {
            i += utf8_length(text[i]);
            continue;
        }
        lines.emplace_back(text.substr(begin, i - begin + (keeps_ends ? end_bytes : 0)));
        i += end_bytes;
        begin = i;
    }
    if (begin < text.size()) lines.emplace_back(text.substr(begin));
    return lines;
}

std::string pad(std::string_view text, std::int64_t width, Alignment alignment,
                std::string_view fill) {
    const std::int64_t missing = width - count_characters(text);
    if (missing <= 0) return std::string(text);
    check_size(static_cast<std::size_t>(missing));
    std::int64_t left = 0;
    if (alignment == Alignment::Right) left = missing;
    if (alignment == Alignment::Center) left = missing / 2 + (missing & width & 1);
    std::string result;
    for (std::int64_t i = 0; i < left; ++i) result += fill;
    result += text;
    for (std::int64_t i = left; i < missing; ++i) result += fill;
    return result;
}

}  // namespace espalier::jinja
