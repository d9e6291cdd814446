#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace espalier {

/// Bytes of the character that begins with `lead`, in well-formed UTF-8.
inline std::size_t utf8_length(char lead) noexcept {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The character at `position` of well-formed UTF-8; `position` moves behind it.
inline char32_t next_code_point(std::string_view text, std::size_t& position) noexcept {
    const auto byte = [&](std::size_t i) {
        return static_cast<char32_t>(static_cast<unsigned char>(text[position + i]));
    };
    const char32_t lead = byte(0);
    char32_t result = lead;
    if (lead < 0x80) {
        position += 1;
    } else if (lead < 0xE0) {
        result = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
        position += 2;
    } else if (lead < 0xF0) {
        result = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
        position += 3;
    } else {
        result =
            (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
        position += 4;
    }
    return result;
}

/// Where the character before `position` > 0 begins.
inline std::size_t previous_character(std::string_view text, std::size_t position) noexcept {
    do {
        --position;
    } while (position > 0 && (static_cast<unsigned char>(text[position]) & 0xC0) == 0x80);
    return position;
}

inline void append_utf8(std::string& text, char32_t code_point) {
    const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) {
        put(code_point);
    } else if (code_point < 0x800) {
        put(0xC0 | code_point >> 6);
        put(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        put(0xE0 | code_point >> 12);
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    } else {
        put(0xF0 | code_point >> 18);
        put(0x80 | (code_point >> 12 & 0x3F));
        put(0x80 | (code_point >> 6 & 0x3F));
        put(0x80 | (code_point & 0x3F));
    }
}

}  // namespace espalier
