#include "tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::size_t kAlphabetEnd = 0x100 + 68;

struct Tables {
    std::array<char16_t, 256> character{};          ///< of a byte
    std::array<std::int16_t, kAlphabetEnd> byte{};  ///< of a character, -1 if none
};

constexpr Tables make_tables() {
    Tables tables;
    tables.byte.fill(-1);
    char16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char16_t character = stands_for_itself(byte) ? static_cast<char16_t>(byte) : next++;
        tables.character[byte] = character;
        tables.byte[character] = static_cast<std::int16_t>(byte);
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

void append_byte_level(std::string& out, std::string_view bytes) {
    for (const char byte : bytes) {
        append_utf8(out, kTables.character[static_cast<unsigned char>(byte)]);
    }
}

bool append_bytes_of(std::string& out, std::string_view token) {
    const std::size_t size_before = out.size();
    for (std::size_t i = 0; i < token.size();) {
        const char32_t c = next_code_point(token, i);
        if (c >= kAlphabetEnd || kTables.byte[c] < 0) {
            out.resize(size_before);
            return false;
        }
        out.push_back(static_cast<char>(kTables.byte[c]));
    }
    return true;
}

}  // namespace espalier
