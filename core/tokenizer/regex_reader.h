#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "tokenizer/code_points.h"

namespace espalier {

/// Walks over the characters of a regular expression and reads what classes are made of.
class RegexReader {
public:
    explicit RegexReader(std::string_view pattern);

    bool at_end() const noexcept { return position_ == text_.size(); }
    /// The next character, U+0000 at the end.
    char32_t peek(std::size_t ahead = 0) const noexcept;
    char32_t take();
    bool accept(std::u32string_view text) noexcept;
    std::size_t position() const noexcept { return position_; }
    void rewind(std::size_t position) noexcept { position_ = position; }

    /// After `[`: up to its `]`, nested classes and intersections included.
    CodePoints read_class(bool ignores_case, int depth = 0);
    /// After a backslash: one character, or a class such as \s.
    std::variant<char32_t, CodePoints> read_escape();
    std::optional<int> read_number();

    [[noreturn]] void fail(std::string_view what) const;

private:
    void read_class_item(CodePoints& set, bool ignores_case, int depth);
    CodePoints read_property(bool negated);
    std::optional<CodePoints> read_posix_bracket();
    char32_t read_hex();

    std::string pattern_;
    std::u32string text_;
    std::size_t position_ = 0;
};

}  // namespace espalier
