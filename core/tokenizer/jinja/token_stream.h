#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/jinja/lexer.h"

namespace espalier::jinja {

/// Tokens, one after the other.
class TokenStream {
public:
    explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    const Token& peek(std::size_t ahead = 0) const;
    /// The End token is never passed.
    const Token& next();
    bool is(TokenKind kind) const { return peek().kind == kind; }
    bool is_operator(std::string_view text) const {
        return is(TokenKind::Operator) && peek().text == text;
    }
    bool is_name(std::string_view text) const { return is(TokenKind::Name) && peek().text == text; }
    bool accept_operator(std::string_view text);
    bool accept_name(std::string_view text);
    void expect_operator(std::string_view text);
    void expect_name(std::string_view text);
    void expect(TokenKind kind);
    /// Any name.
    std::string take_name();

    [[noreturn]] void fail(const std::string& message) const;
    /// The current token in words.
    std::string description() const;

private:
    std::vector<Token> tokens_;
    std::size_t index_ = 0;
};

}  // namespace espalier::jinja
