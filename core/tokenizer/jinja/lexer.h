#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/fault.h"
#include "tokenizer/jinja/position.h"

namespace espalier::jinja {

enum class TokenKind {
    Data,        ///< template text, whitespace control applied
    PrintBegin,  ///< {{
    PrintEnd,
    StatementBegin,  ///< {%
    StatementEnd,
    Name,
    Text,  ///< a string literal, escapes resolved
    Integer,
    Float,
    Operator,
    End,
};

struct Token {
    TokenKind kind;
    std::string text;
    Position position;
};

/// A fault at a place of the template.
class SyntaxFault : public Fault {
public:
    SyntaxFault(Position where, const std::string& message)
        : Fault(FaultKind::Syntax, message), position(where) {}
    Position position;
};

/// Cuts a template into tokens, with trim_blocks and lstrip_blocks on and keep_trailing_newline
/// off. The last token is End. @throws SyntaxFault
std::vector<Token> tokenize(std::string_view source);

}  // namespace espalier::jinja
