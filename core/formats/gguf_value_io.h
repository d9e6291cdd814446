#pragma once

#include <string>
#include <string_view>

#include "formats/gguf_cursor.h"
#include "formats/gguf_value.h"

namespace espalier {

/// Reads a value: its type number, then its data. Memory is taken only after a count has been
/// compared with the bytes that are left.
/// @param key named in errors
GgufValue read_gguf_value(GgufCursor& cursor, std::string_view key);

/// Appends type number and data as they stand in a file.
void append_gguf_value(std::string& out, const GgufValue& value);

/// u64 length, then the bytes.
void append_gguf_string(std::string& out, std::string_view text);

template <typename T>
void append_number(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace espalier
