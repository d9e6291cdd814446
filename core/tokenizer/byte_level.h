#pragma once

#include <string>
#include <string_view>

namespace espalier {

/// The printable characters by which byte-level vocabularies spell bytes: 0x21-0x7E, 0xA1-0xAC and
/// 0xAE-0xFF stand for themselves, the other 68 for U+0100, U+0101, … in their order. The space is
/// `Ġ`, the newline `Ċ`. GPT-2, openai/gpt-2/src/encoder.py.

/// Appends `bytes` in that spelling, as UTF-8.
void append_byte_level(std::string& out, std::string_view bytes);

/// Appends the bytes that `token` spells; false, and nothing appended, if one of its characters is
/// outside the alphabet.
bool append_bytes_of(std::string& out, std::string_view token);

}  // namespace espalier
