#include "tokenizer/jinja/repr.h"

#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <unicode/uchar.h>

#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

bool is_printable(char32_t character) {
    // Cc Cf Cs Co Cn Zl Zp, and Zs but for the space itself.
    static const CodePoints hidden = [] {
        CodePoints set = general_categories(U_GC_C_MASK | U_GC_Z_MASK);
        CodePoints visible(U' ');
        visible.complement();
        set.retain(visible);
        return set;
    }();
    return !hidden.contains(character);
}

void append_escaped(std::string& out, char32_t c, char quote) {
    if (c == static_cast<char32_t>(quote) || c == U'\\') {
        out += '\\';
        out += static_cast<char>(c);
    } else if (c == U'\n') {
        out += "\\n";
    } else if (c == U'\r') {
        out += "\\r";
    } else if (c == U'\t') {
        out += "\\t";
    } else if (is_printable(c)) {
        append_utf8(out, c);
    } else if (c < 0x100) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else if (c < 0x10000) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
        out += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
    }
}

std::string sequence_repr(const Sequence& sequence) {
    static constexpr const char* kOpening[] = {
        "[", "(", "<generator object [", "dict_keys([", "dict_values([", "dict_items(["};
    static constexpr const char* kClosing[] = {"]", ")", "]>", "])", "])", "])"};
    const auto kind = static_cast<std::size_t>(sequence.kind);
    std::string out = kOpening[kind];
    for (std::size_t i = 0; i < sequence.items.size(); ++i) {
        if (i > 0) out += ", ";
        out += repr(sequence.items[i]);
    }
    const bool is_single_tuple =
        sequence.kind == Sequence::Kind::Tuple && sequence.items.size() == 1;
    return out + (is_single_tuple ? "," : "") + kClosing[kind];
}

std::string map_repr(const Map& map) {
    std::string out = "{";
    for (const auto& [key, value] : map.entries) {
        if (out.size() > 1) out += ", ";
        out += repr(key) + ": " + repr(value);
    }
    return out + "}";
}

std::string range_repr(const Range& range) {
    if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
    return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

}  // namespace

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::scientific)
                         .ptr;
    const std::string_view scientific(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    const std::size_t e = scientific.find('e');
    const int exponent = std::stoi(std::string(scientific.substr(e + 1)));
    if (exponent < -4 || exponent >= 16) {
        return fmt::format("{}e{}{:02d}", scientific.substr(0, e), exponent < 0 ? '-' : '+',
                           std::abs(exponent));
    }
    std::string digits;
    for (const char c : scientific.substr(0, e)) {
        if (c != '-' && c != '.') digits += c;
    }
    const std::string sign = scientific.starts_with('-') ? "-" : "";
    if (exponent < 0)
        return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() <= whole)
        return sign + digits + std::string(whole - digits.size(), '0') + ".0";
    return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string quote_text(std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const bool has_double = text.find('"') != std::string_view::npos;
    const char quote = has_single && !has_double ? '"' : '\'';
    std::string out(1, quote);
    for (std::size_t i = 0; i < text.size();) append_escaped(out, next_code_point(text, i), quote);
    return out + quote;
}

std::string repr(const Value& value) {
    if (const std::string* text = value.text()) return quote_text(*text);
    if (value.is_undefined()) return "Undefined";
    return to_text(value);
}

std::string to_text(const Value& value) {
    if (value.is_undefined()) return {};
    if (value.is_none()) return "None";
    if (const bool* flag = value.boolean()) return *flag ? "True" : "False";
    if (const auto number = value.integer()) return fmt::to_string(*number);
    if (const double* number = value.floating()) return float_text(*number);
    if (const std::string* text = value.text()) return *text;
    if (const Map* map = value.map()) return map_repr(*map);
    if (const Range* range = value.range()) return range_repr(*range);
    if (const Sequence* sequence = value.sequence()) return sequence_repr(*sequence);
    return value.object()->repr();
}

}  // namespace espalier::jinja
