#include "formats/gguf_value_io.h"

#include <array>
#include <bit>
#include <fmt/format.h>
#include <type_traits>
#include <utility>

namespace espalier {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read by copying bytes");

constexpr std::uint32_t kArrayType = 9;
constexpr std::uint32_t kNumTypes = 13;

/// The format's numbers: u8 0, i8 1, …, string 8, array 9, u64 10, i64 11, f64 12. Both variants
/// list their scalars in this order, the array left out or put last.
constexpr std::uint32_t type_of_scalar(std::size_t index) {
    return static_cast<std::uint32_t>(index < kArrayType ? index : index + 1);
}

template <typename T>
T read_scalar(GgufCursor& cursor, std::string_view field) {
    if constexpr (std::is_same_v<T, std::string>) {
        return std::string(cursor.string(field));
    } else if constexpr (std::is_same_v<T, bool>) {
        return cursor.number<std::uint8_t>(field) != 0;
    } else {
        return cursor.number<T>(field);
    }
}

/// What an element takes in the file at least.
template <typename T>
constexpr std::uint64_t kLeastBytes = std::is_same_v<T, std::string> ? sizeof(std::uint64_t)
                                                                     : sizeof(T);

template <typename T>
GgufArray read_items(GgufCursor& cursor, std::uint64_t count, std::string_view field) {
    if (count > cursor.remaining() / kLeastBytes<T>) {
        throw truncated_file(cursor.path(), fmt::format("{} claims {} entries, {} bytes are left",
                                                        field, count, cursor.remaining()));
    }
    std::vector<T> items;
    items.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) items.push_back(read_scalar<T>(cursor, field));
    return items;
}

template <typename Variant, std::size_t... Index>
GgufValue read_array(GgufCursor& cursor, std::uint32_t type, std::string_view field,
                     std::index_sequence<Index...>) {
    using Reader = GgufArray (*)(GgufCursor&, std::uint64_t, std::string_view);
    constexpr std::array<Reader, sizeof...(Index)> kReaders{
        &read_items<typename std::variant_alternative_t<Index, Variant>::value_type>...};
    const auto count = cursor.number<std::uint64_t>(field);
    return kReaders[type < kArrayType ? type : type - 1](cursor, count, field);
}

template <std::size_t... Index>
GgufValue read_scalar_of(GgufCursor& cursor, std::uint32_t type, std::string_view field,
                         std::index_sequence<Index...>) {
    using Reader = GgufValue (*)(GgufCursor&, std::string_view);
    constexpr std::array<Reader, sizeof...(Index)> kReaders{
        [](GgufCursor& from, std::string_view name) -> GgufValue {
            return read_scalar<std::variant_alternative_t<Index, GgufValue>>(from, name);
        }...};
    return kReaders[type < kArrayType ? type : type - 1](cursor, field);
}

std::uint32_t read_type(GgufCursor& cursor, std::string_view field) {
    const auto type = cursor.number<std::uint32_t>(field);
    if (type >= kNumTypes) {
        throw malformed_file(cursor.path(), fmt::format("{} has the unknown type {}", field, type));
    }
    return type;
}

template <typename T>
void append_scalar(std::string& out, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
        append_gguf_string(out, value);
    } else if constexpr (std::is_same_v<T, bool>) {
        append_number<std::uint8_t>(out, value ? 1 : 0);
    } else {
        append_number(out, value);
    }
}

void append_array(std::string& out, const GgufArray& array) {
    append_number(out, kArrayType);
    append_number(out, type_of_scalar(array.index()));
    std::visit(
        [&out](const auto& items) {
            using T = typename std::decay_t<decltype(items)>::value_type;
            append_number<std::uint64_t>(out, items.size());
            for (const T& item : items) append_scalar<T>(out, item);
        },
        array);
}

}  // namespace

GgufValue read_gguf_value(GgufCursor& cursor, std::string_view key) {
    constexpr auto kNumScalars = std::variant_size_v<GgufArray>;
    static_assert(std::variant_size_v<GgufValue> == kNumScalars + 1);
    const std::string field = fmt::format("the value of key {}", in_quotes(key));
    const std::uint32_t type = read_type(cursor, field);
    if (type != kArrayType) {
        return read_scalar_of(cursor, type, field, std::make_index_sequence<kNumScalars>());
    }
    const std::uint32_t item_type = read_type(cursor, field);
    if (item_type == kArrayType) {
        throw unsupported_file(cursor.path(), fmt::format("{} is an array of arrays", field));
    }
    return read_array<GgufArray>(cursor, item_type, field, std::make_index_sequence<kNumScalars>());
}

void append_gguf_value(std::string& out, const GgufValue& value) {
    std::visit(
        [&](const auto& held) {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<T, GgufArray>) {
                append_array(out, held);
            } else {
                append_number(out, type_of_scalar(value.index()));
                append_scalar<T>(out, held);
            }
        },
        value);
}

void append_gguf_string(std::string& out, std::string_view text) {
    append_number<std::uint64_t>(out, text.size());
    out += text;
}

}  // namespace espalier
