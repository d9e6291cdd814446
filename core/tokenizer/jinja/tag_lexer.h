#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/jinja/lexer.h"

namespace espalier::jinja {

/// Walks over a template and knows where it is.
class SourceCursor {
public:
    explicit SourceCursor(std::string_view source) : source_(source) {}

    std::string_view rest() const noexcept { return source_.substr(offset_); }
    std::string_view before() const noexcept { return source_.substr(0, offset_); }
    bool at_end() const noexcept { return offset_ == source_.size(); }
    bool starts_with(std::string_view text) const noexcept { return rest().starts_with(text); }
    Position position() const noexcept { return position_; }
    /// Takes `bytes`, which end between characters.
    std::string_view take(std::size_t bytes);
    bool accept(std::string_view text);
    void skip_spaces();

private:
    std::string_view source_;
    std::size_t offset_ = 0;
    Position position_;
};

/// Reads the tokens of one tag up to `end` ("}}" or "%}"), which is taken with its whitespace
/// control.
void read_tag(SourceCursor& cursor, std::string_view end, std::vector<Token>& tokens);

/// Takes "}}", "%}" or "#}" with a "-" or "+" before it and what it swallows behind it; false if it
/// is not there.
bool accept_tag_end(SourceCursor& cursor, std::string_view end);

}  // namespace espalier::jinja
