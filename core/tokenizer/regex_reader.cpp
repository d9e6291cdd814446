#include "tokenizer/regex_reader.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr std::size_t kMaxPatternBytes = 16384;
constexpr int kMaxClassDepth = 16;
constexpr char32_t kLastCodePoint = 0x10FFFF;

CodePoints complement_if(bool wanted, CodePoints set) {
    if (wanted) set.complement();
    return set;
}

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }

int hex_value(char32_t c) {
    if (is_digit(c)) return static_cast<int>(c - U'0');
    if (c >= U'a' && c <= U'f') return static_cast<int>(c - U'a') + 10;
    if (c >= U'A' && c <= U'F') return static_cast<int>(c - U'A') + 10;
    return -1;
}

std::optional<CodePoints> shorthand_class(char32_t letter) {
    switch (letter) {
        case U's':
        case U'S':
            return complement_if(letter == U'S', white_space_class());
        case U'd':
        case U'D':
            return complement_if(letter == U'D', general_categories(U_GC_ND_MASK));
        case U'w':
        case U'W':
            return complement_if(letter == U'W', word_class());
        case U'h':
        case U'H':
            return complement_if(letter == U'H', {{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
        default:
            return std::nullopt;
    }
}

std::optional<char32_t> control_escape(char32_t letter) {
    switch (letter) {
        case U't':
            return U'\t';
        case U'n':
            return U'\n';
        case U'r':
            return U'\r';
        case U'f':
            return U'\f';
        case U'v':
            return U'\v';
        case U'a':
            return U'\a';
        case U'e':
            return char32_t{0x1B};
        case U'0':
            return U'\0';
        default:
            return std::nullopt;
    }
}

}  // namespace

RegexReader::RegexReader(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > kMaxPatternBytes || !is_valid_utf8(pattern)) {
        pattern_ = "…";
        fail(fmt::format("longer than {} bytes, or not UTF-8", kMaxPatternBytes));
    }
    for (std::size_t i = 0; i < pattern.size();) text_.push_back(next_code_point(pattern, i));
}

void RegexReader::fail(std::string_view what) const {
    throw Error(ErrorCode::FileUnsupported,
                fmt::format("The regular expression \"{}\" cannot be used: {} (character {}).",
                            pattern_, what, position_ + 1),
                "Espalier does not know this kind of tokenizer; please report the model.");
}

char32_t RegexReader::peek(std::size_t ahead) const noexcept {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : U'\0';
}

char32_t RegexReader::take() {
    if (at_end()) fail("it ends too early");
    return text_[position_++];
}

bool RegexReader::accept(std::u32string_view text) noexcept {
    if (!std::u32string_view(text_).substr(position_).starts_with(text)) return false;
    position_ += text.size();
    return true;
}

std::optional<int> RegexReader::read_number() {
    if (!is_digit(peek())) return std::nullopt;
    int value = 0;
    while (is_digit(peek())) {
        value = value * 10 + static_cast<int>(take() - U'0');
        if (value > 1000) fail("a repetition above 1000");
    }
    return value;
}

char32_t RegexReader::read_hex() {
    const bool is_braced = accept(U"{");
    const std::size_t max_digits = is_braced ? 8 : text_[position_ - 1] == U'u' ? 4 : 2;
    char32_t value = 0;
    std::size_t digits = 0;
    for (; digits < max_digits && hex_value(peek()) >= 0; ++digits) {
        value = value * 16 + static_cast<char32_t>(hex_value(take()));
    }
    if (digits == 0 || value > kLastCodePoint || (is_braced && !accept(U"}"))) {
        fail("a broken hexadecimal escape");
    }
    return value;
}

CodePoints RegexReader::read_property(bool negated) {
    if (!accept(U"{")) fail("\\p without {…}");
    if (accept(U"^")) negated = !negated;
    std::string name;
    while (peek() != U'}') append_utf8(name, take());
    take();
    auto set = property_class(name);
    if (!set) fail(fmt::format("unknown property \\p{{{}}}", name));
    return complement_if(negated, *std::move(set));
}

std::variant<char32_t, CodePoints> RegexReader::read_escape() {
    const char32_t letter = take();
    if (letter == U'p' || letter == U'P') return read_property(letter == U'P');
    if (letter == U'x' || letter == U'u') return read_hex();
    if (auto set = shorthand_class(letter)) return *std::move(set);
    if (const auto control = control_escape(letter)) return *control;
    const bool is_alphanumeric =
        letter < 0x80 && (is_digit(letter) || (hex_value(letter) >= 0) ||
                          (letter >= U'A' && letter <= U'Z') || (letter >= U'a' && letter <= U'z'));
    if (is_alphanumeric) fail(fmt::format("\\{} is not supported", static_cast<char>(letter)));
    return letter;
}

std::optional<CodePoints> RegexReader::read_posix_bracket() {
    const std::size_t start = position_;
    if (!accept(U"[:")) return std::nullopt;
    const bool negated = accept(U"^");
    std::string name;
    while (peek() >= U'a' && peek() <= U'z') append_utf8(name, take());
    auto set = accept(U":]") ? property_class(name) : std::nullopt;
    if (!set) {
        rewind(start);
        return std::nullopt;
    }
    return complement_if(negated, *std::move(set));
}

void RegexReader::read_class_item(CodePoints& set, bool ignores_case, int depth) {
    if (auto bracket = read_posix_bracket()) return set.add(*bracket);
    if (accept(U"[")) return set.add(read_class(ignores_case, depth + 1));
    const auto read_one = [this]() -> std::variant<char32_t, CodePoints> {
        if (accept(U"\\")) return read_escape();
        return take();
    };
    auto first = read_one();
    if (const auto* nested = std::get_if<CodePoints>(&first)) return set.add(*nested);
    const char32_t low = std::get<char32_t>(first);
    const bool is_range = peek() == U'-' && peek(1) != U']' && peek(1) != U'[' && peek(1) != U'\0';
    if (!is_range) return set.add({low, low});
    take();
    auto second = read_one();
    if (const auto* nested =
            std::get_if<CodePoints>(&second)) {  // the dash was one of the characters
        set.add({low, low});
        set.add({U'-', U'-'});
        return set.add(*nested);
    }
    const char32_t high = std::get<char32_t>(second);
    if (high < low) fail("a range that runs backwards");
    set.add({low, high});
}

CodePoints RegexReader::read_class(bool ignores_case, int depth) {
    if (depth > kMaxClassDepth) fail("classes nested too deeply");
    const bool negated = accept(U"^");
    std::optional<CodePoints> intersection;
    CodePoints current;
    const auto intersect = [&] {
        if (ignores_case) current.close_over_case();
        if (intersection) current.retain(*intersection);
    };
    if (accept(U"]")) current.add({U']', U']'});
    while (!accept(U"]")) {
        if (accept(U"&&")) {
            intersect();
            intersection = std::exchange(current, CodePoints());
        } else {
            read_class_item(current, ignores_case, depth);
        }
    }
    intersect();
    return complement_if(negated, std::move(current));
}

}  // namespace espalier
