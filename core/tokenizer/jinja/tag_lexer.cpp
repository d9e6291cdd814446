#include "tokenizer/jinja/tag_lexer.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "tokenizer/jinja/text.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

constexpr std::array<std::string_view, 26> kOperators{
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_character(char32_t c) {
    if (c < 0x80) {
        return c == U'_' || (c >= U'0' && c <= U'9') || (c >= U'a' && c <= U'z') ||
               (c >= U'A' && c <= U'Z');
    }
    static const CodePoints word = word_class();
    return word.contains(c);
}

std::size_t name_bytes(std::string_view text) {
    std::size_t end = 0;
    while (end < text.size()) {
        std::size_t next = end;
        if (!is_name_character(next_code_point(text, next))) break;
        end = next;
    }
    return end;
}

/// Digits with single underscores between them.
std::size_t digit_bytes(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size() &&
           (is_digit(text[i]) || (i > 0 && text[i] == '_' && text[i - 1] != '_' &&
                                  i + 1 < text.size() && is_digit(text[i + 1])))) {
        ++i;
    }
    return i;
}

/// Bytes of a float literal, 0 if it is none.
std::size_t float_bytes(std::string_view text) {
    const std::size_t whole = digit_bytes(text);
    if (whole == 0) return 0;
    std::size_t size = whole;
    if (size < text.size() && text[size] == '.') {
        const std::size_t fraction = digit_bytes(text.substr(size + 1));
        if (fraction > 0) size += 1 + fraction;
    }
    if (size < text.size() && (text[size] == 'e' || text[size] == 'E')) {
        const bool is_signed =
            size + 1 < text.size() && (text[size + 1] == '+' || text[size + 1] == '-');
        const std::size_t digits =
            digit_bytes(text.substr(std::min(text.size(), size + 1 + (is_signed ? 1U : 0U))));
        if (digits > 0) size += 1 + (is_signed ? 1 : 0) + digits;
    }
    return size > whole ? size : 0;
}

std::size_t prefixed_integer_bytes(std::string_view text) {
    const auto valid = [&](char marker, std::string_view digits) -> std::size_t {
        if (text.size() < 3 || text[0] != '0' || (text[1] | 0x20) != marker) return 0;
        std::size_t i = 2;
        while (i < text.size() && digits.find(text[i]) != std::string_view::npos) ++i;
        return i > 2 ? i : 0;
    };
    return std::max(
        {valid('x', "0123456789abcdefABCDEF_"), valid('o', "01234567_"), valid('b', "01_")});
}

std::string without_underscores(std::string_view text) {
    std::string result(text);
    std::erase(result, '_');
    return result;
}

void append_octal_or(std::string& out, std::string_view body, std::size_t& i) {
    char32_t value = 0;
    std::size_t digits = 0;
    while (digits < 3 && i < body.size() && body[i] >= '0' && body[i] <= '7') {
        value = value * 8 + static_cast<char32_t>(body[i++] - '0');
        ++digits;
    }
    append_utf8(out, value);
}

char32_t hex_number(std::string_view body, std::size_t& i, std::size_t digits, Position where) {
    char32_t value = 0;
    for (std::size_t n = 0; n < digits; ++n, ++i) {
        const char c = i < body.size() ? static_cast<char>(body[i] | 0x20) : ' ';
        const bool is_letter = c >= 'a' && c <= 'f';
        if (!is_letter && !(i < body.size() && is_digit(body[i]))) {
            throw SyntaxFault(where, "a broken \\x or \\u escape");
        }
        value = value * 16 + static_cast<char32_t>(is_letter ? c - 'a' + 10 : body[i] - '0');
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
        throw SyntaxFault(where, "an escape that is no character");
    }
    return value;
}

std::string resolve_escapes(std::string_view body, Position where) {
    static constexpr std::string_view kLetters = "\\'\"abfnrtv";
    static constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    std::string out;
    for (std::size_t i = 0; i < body.size();) {
        if (body[i] != '\\' || i + 1 == body.size()) {
            out += body[i++];
            continue;
        }
        const char letter = body[++i];
        const std::size_t simple = kLetters.find(letter);
        if (simple != std::string_view::npos) {
            out += kMeanings[simple];
            ++i;
        } else if (letter == '\n') {
            ++i;
        } else if (letter == 'x' || letter == 'u' || letter == 'U') {
            append_utf8(out, hex_number(body, ++i,
                                        letter == 'x'   ? 2
                                        : letter == 'u' ? 4
                                                        : 8,
                                        where));
        } else if (letter >= '0' && letter <= '7') {
            append_octal_or(out, body, i);
        } else if (letter == 'N') {
            throw SyntaxFault(where, "\\N{…} escapes are not supported");
        } else {
            out += '\\';
        }
    }
    return out;
}

Token read_string(SourceCursor& cursor) {
    const Position where = cursor.position();
    const std::string_view text = cursor.rest();
    const char quote = text.front();
    std::size_t end = 1;
    while (end < text.size() && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
    if (end >= text.size()) throw SyntaxFault(where, "a string that does not end");
    Token token{TokenKind::Text, resolve_escapes(text.substr(1, end - 1), where), where};
    cursor.take(end + 1);
    return token;
}

Token read_token(SourceCursor& cursor) {
    const std::string_view text = cursor.rest();
    const Position where = cursor.position();
    const char first = text.front();
    if (first == '\'' || first == '"') return read_string(cursor);
    const bool follows_dot = cursor.before().ends_with('.');
    if (const std::size_t size = follows_dot ? 0 : float_bytes(text); size > 0) {
        return {TokenKind::Float, without_underscores(cursor.take(size)), where};
    }
    if (is_digit(first)) {
        const std::size_t prefixed = prefixed_integer_bytes(text);
        const std::size_t size = prefixed > 0 ? prefixed : digit_bytes(text);
        return {TokenKind::Integer, without_underscores(cursor.take(size)), where};
    }
    if (const std::size_t size = name_bytes(text); size > 0) {
        return {TokenKind::Name, std::string(cursor.take(size)), where};
    }
    for (const std::string_view op : kOperators) {
        if (cursor.accept(op)) return {TokenKind::Operator, std::string(op), where};
    }
    throw SyntaxFault(
        where, fmt::format("unexpected char '{}'", text.substr(0, utf8_length(text.front()))));
}

/// Braces must balance: returns what should close now.
void balance(std::string& open, const Token& token) {
    static constexpr std::string_view kOpening = "([{";
    static constexpr std::string_view kClosing = ")]}";
    if (token.kind != TokenKind::Operator || token.text.size() != 1) return;
    const char c = token.text.front();
    if (const std::size_t i = kOpening.find(c); i != std::string_view::npos) open += kClosing[i];
    if (kClosing.find(c) == std::string_view::npos) return;
    if (open.empty()) throw SyntaxFault(token.position, fmt::format("unexpected '{}'", c));
    if (open.back() != c) {
        throw SyntaxFault(token.position,
                          fmt::format("unexpected '{}', expected '{}'", c, open.back()));
    }
    open.pop_back();
}

}  // namespace

std::string_view SourceCursor::take(std::size_t bytes) {
    const std::string_view taken = source_.substr(offset_, bytes);
    for (const char c : taken) {
        if (c == '\n') {
            ++position_.line;
            position_.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
            ++position_.column;
        }
    }
    offset_ += taken.size();
    return taken;
}

bool SourceCursor::accept(std::string_view text) {
    if (!starts_with(text)) return false;
    take(text.size());
    return true;
}

void SourceCursor::skip_spaces() { take(rest().size() - strip_left(rest()).size()); }

bool accept_tag_end(SourceCursor& cursor, std::string_view end) {
    if (cursor.accept("-" + std::string(end))) {
        cursor.skip_spaces();
        return true;
    }
    if (end != "}}" && cursor.accept("+" + std::string(end))) return true;
    if (!cursor.accept(end)) return false;
    if (end != "}}") cursor.accept("\n");
    return true;
}

void read_tag(SourceCursor& cursor, std::string_view end, std::vector<Token>& tokens) {
    const TokenKind end_kind = end == "}}" ? TokenKind::PrintEnd : TokenKind::StatementEnd;
    std::string open;
    while (true) {
        cursor.skip_spaces();
        const Position where = cursor.position();
        if (open.empty() && accept_tag_end(cursor, end)) {
            tokens.push_back({end_kind, std::string(end), where});
            return;
        }
        if (cursor.at_end()) throw SyntaxFault(where, "unexpected 'end of template'");
        tokens.push_back(read_token(cursor));
        balance(open, tokens.back());
    }
}

}  // namespace espalier::jinja
