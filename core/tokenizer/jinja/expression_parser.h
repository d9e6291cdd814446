#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/token_stream.h"

namespace espalier::jinja {

/// Reads expressions by Jinja2's grammar: its order of precedence is not Python's in places.
class ExpressionParser {
public:
    explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

    /// One expression, `a if b else c` included.
    ExpressionPtr parse();
    /// Expressions with commas between them make a tuple. @param takes_conditional `if` belongs to
    /// it
    ExpressionPtr parse_tuple(bool takes_conditional = true);
    /// Filters behind `input`, which is null where a block gives it. @param starts_inline no `|` in
    /// front
    ExpressionPtr parse_filters(ExpressionPtr input, bool starts_inline);
    CallArguments parse_arguments();

    /// Called with every name that is read.
    std::function<void(std::string_view)> on_name;

private:
    class DepthGuard;

    ExpressionPtr make(Position position, Expression::Node node) const;
    ExpressionPtr parse_or();
    ExpressionPtr parse_and();
    ExpressionPtr parse_not();
    ExpressionPtr parse_comparison();
    ExpressionPtr parse_sum();
    ExpressionPtr parse_concatenation();
    ExpressionPtr parse_product();
    ExpressionPtr parse_power();
    ExpressionPtr parse_unary(bool takes_filters = true);
    ExpressionPtr parse_primary();
    ExpressionPtr parse_name();
    ExpressionPtr parse_number();
    ExpressionPtr parse_list();
    ExpressionPtr parse_map();
    ExpressionPtr parse_parentheses();
    ExpressionPtr parse_postfix(ExpressionPtr expression);
    ExpressionPtr parse_attribute(ExpressionPtr object);
    ExpressionPtr parse_subscript(ExpressionPtr object);
    ExpressionPtr parse_filters_and_tests(ExpressionPtr expression);
    ExpressionPtr parse_test(ExpressionPtr input);
    std::string parse_dotted_name();
    bool is_tuple_end() const;
    bool starts_test_argument() const;

    using Level = ExpressionPtr (ExpressionParser::*)();
    ExpressionPtr parse_left_associative(Level next, std::initializer_list<std::string_view> ops);

    TokenStream& tokens_;
    int depth_ = 0;
};

}  // namespace espalier::jinja
