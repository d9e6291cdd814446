#include "tokenizer/jinja/token_stream.h"

#include <algorithm>
#include <fmt/format.h>

namespace espalier::jinja {

const Token& TokenStream::peek(std::size_t ahead) const {
    return tokens_[std::min(index_ + ahead, tokens_.size() - 1)];
}

const Token& TokenStream::next() {
    const Token& token = tokens_[index_];
    if (index_ + 1 < tokens_.size()) ++index_;
    return token;
}

bool TokenStream::accept_operator(std::string_view text) {
    if (!is_operator(text)) return false;
    next();
    return true;
}

bool TokenStream::accept_name(std::string_view text) {
    if (!is_name(text)) return false;
    next();
    return true;
}

void TokenStream::expect_operator(std::string_view text) {
    if (!accept_operator(text)) fail(fmt::format("expected '{}', got {}", text, description()));
}

void TokenStream::expect_name(std::string_view text) {
    if (!accept_name(text)) fail(fmt::format("expected '{}', got {}", text, description()));
}

void TokenStream::expect(TokenKind kind) {
    if (!is(kind)) fail(fmt::format("unexpected {}", description()));
    next();
}

std::string TokenStream::take_name() {
    if (!is(TokenKind::Name)) fail(fmt::format("expected a name, got {}", description()));
    return next().text;
}

void TokenStream::fail(const std::string& message) const {
    throw SyntaxFault(peek().position, message);
}

std::string TokenStream::description() const {
    switch (peek().kind) {
        case TokenKind::End:
            return "'end of template'";
        case TokenKind::Data:
            return "template text";
        case TokenKind::PrintBegin:
        case TokenKind::StatementBegin:
            return "a tag";
        case TokenKind::PrintEnd:
            return "'end of print statement'";
        case TokenKind::StatementEnd:
            return "'end of statement block'";
        case TokenKind::Text:
            return "a string";
        default:
            return fmt::format("'{}'", peek().text);
    }
}

}  // namespace espalier::jinja
