#include "tokenizer/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/tests.h"

namespace espalier::jinja {
namespace {

constexpr int kMaxDepth = 200;
constexpr std::size_t kMaxChain = 500;

}  // namespace

/// Expressions nest on the machine's stack.
class ExpressionParser::DepthGuard {
public:
    explicit DepthGuard(ExpressionParser& parser) : parser_(parser) {
        if (++parser_.depth_ > kMaxDepth)
            parser_.tokens_.fail("the expression is nested too deeply");
    }
    ~DepthGuard() { --parser_.depth_; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;

private:
    ExpressionParser& parser_;
};

ExpressionPtr ExpressionParser::make(Position position, Expression::Node node) const {
    return std::make_unique<const Expression>(Expression{position, std::move(node)});
}

ExpressionPtr ExpressionParser::parse() {
    const DepthGuard guard(*this);
    ExpressionPtr expression = parse_or();
    for (std::size_t count = 0; tokens_.is_name("if"); ++count) {
        if (count > kMaxChain) tokens_.fail("the expression is too long");
        const Position where = tokens_.next().position;
        ExpressionPtr condition = parse_or();
        ExpressionPtr otherwise = tokens_.accept_name("else") ? parse() : nullptr;
        expression = make(
            where, Conditional{std::move(condition), std::move(expression), std::move(otherwise)});
    }
    return expression;
}

bool ExpressionParser::is_tuple_end() const {
    return tokens_.is(TokenKind::PrintEnd) || tokens_.is(TokenKind::StatementEnd) ||
           tokens_.is_operator(")") || tokens_.is_name("in") || tokens_.is_name("recursive");
}

ExpressionPtr ExpressionParser::parse_tuple(bool takes_conditional) {
    const Position where = tokens_.peek().position;
    std::vector<ExpressionPtr> items;
    bool has_comma = false;
    do {
        if (has_comma && is_tuple_end()) break;
        items.push_back(takes_conditional ? parse() : parse_or());
        has_comma = has_comma || tokens_.is_operator(",");
    } while (tokens_.accept_operator(","));
    if (!has_comma) return std::move(items.front());
    return make(where, ListDisplay{std::move(items), true});
}

ExpressionPtr ExpressionParser::parse_left_associative(
    Level next, std::initializer_list<std::string_view> ops) {
    ExpressionPtr left = (this->*next)();
    const auto matches = [this](std::string_view op) {
        return tokens_.is_operator(op) || (op.size() > 1 && tokens_.is_name(op));
    };
    for (std::size_t count = 0; std::any_of(ops.begin(), ops.end(), matches); ++count) {
        if (count > kMaxChain) tokens_.fail("the expression is too long");
        const Token op = tokens_.next();
        ExpressionPtr right = (this->*next)();
        left = make(op.position, Binary{op.text, std::move(left), std::move(right)});
    }
    return left;
}

ExpressionPtr ExpressionParser::parse_or() {
    return parse_left_associative(&ExpressionParser::parse_and, {"or"});
}

ExpressionPtr ExpressionParser::parse_and() {
    return parse_left_associative(&ExpressionParser::parse_not, {"and"});
}

ExpressionPtr ExpressionParser::parse_not() {
    if (!tokens_.is_name("not")) return parse_comparison();
    const DepthGuard guard(*this);
    const Position where = tokens_.next().position;
    return make(where, Unary{"not", parse_not()});
}

ExpressionPtr ExpressionParser::parse_comparison() {
    const Position where = tokens_.peek().position;
    ExpressionPtr first = parse_sum();
    Comparison comparison;
    while (true) {
        static constexpr std::string_view kOps[] = {"==", "!=", "<", "<=", ">", ">="};
        std::string op;
        if (std::any_of(std::begin(kOps), std::end(kOps),
                        [this](std::string_view text) { return tokens_.is_operator(text); }) ||
            tokens_.is_name("in")) {
            op = tokens_.next().text;
        } else if (tokens_.is_name("not") && tokens_.peek(1).kind == TokenKind::Name &&
                   tokens_.peek(1).text == "in") {
            tokens_.next();
            tokens_.next();
            op = "not in";
        } else {
            break;
        }
        comparison.rest.emplace_back(std::move(op), parse_sum());
    }
    if (comparison.rest.empty()) return first;
    comparison.first = std::move(first);
    return make(where, std::move(comparison));
}

ExpressionPtr ExpressionParser::parse_sum() {
    return parse_left_associative(&ExpressionParser::parse_concatenation, {"+", "-"});
}

ExpressionPtr ExpressionParser::parse_concatenation() {
    const Position where = tokens_.peek().position;
    std::vector<ExpressionPtr> parts;
    do {
        parts.push_back(parse_product());
    } while (tokens_.accept_operator("~"));
    if (parts.size() == 1) return std::move(parts.front());
    return make(where, Concatenation{std::move(parts)});
}

ExpressionPtr ExpressionParser::parse_product() {
    return parse_left_associative(&ExpressionParser::parse_power, {"*", "/", "//", "%"});
}

ExpressionPtr ExpressionParser::parse_power() {
    ExpressionPtr left = parse_unary();
    while (tokens_.is_operator("**")) {
        const DepthGuard guard(*this);
        const Position where = tokens_.next().position;
        left = make(where, Binary{"**", std::move(left), parse_unary()});
    }
    return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool takes_filters) {
    const DepthGuard guard(*this);
    const Position where = tokens_.peek().position;
    ExpressionPtr expression;
    if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
        const std::string op = tokens_.next().text;
        expression = make(where, Unary{op, parse_unary(false)});
    } else {
        expression = parse_primary();
    }
    expression = parse_postfix(std::move(expression));
    return takes_filters ? parse_filters_and_tests(std::move(expression)) : std::move(expression);
}

ExpressionPtr ExpressionParser::parse_primary() {
    const Token& token = tokens_.peek();
    switch (token.kind) {
        case TokenKind::Name:
            return parse_name();
        case TokenKind::Integer:
        case TokenKind::Float:
            return parse_number();
        case TokenKind::Text: {
            const Position where = token.position;
            std::string text;
            while (tokens_.is(TokenKind::Text)) text += tokens_.next().text;
            return make(where, Literal{std::move(text)});
        }
        case TokenKind::Operator:
            if (token.text == "(") return parse_parentheses();
            if (token.text == "[") return parse_list();
            if (token.text == "{") return parse_map();
            [[fallthrough]];
        default:
            tokens_.fail(fmt::format("Expected an expression, got {}", tokens_.description()));
    }
}

ExpressionPtr ExpressionParser::parse_name() {
    const Token& token = tokens_.next();
    const std::string& name = token.text;
    if (name == "true" || name == "True") return make(token.position, Literal{true});
    if (name == "false" || name == "False") return make(token.position, Literal{false});
    if (name == "none" || name == "None") return make(token.position, Literal{None{}});
    if (on_name) on_name(name);
    return make(token.position, Name{name});
}

ExpressionPtr ExpressionParser::parse_number() {
    const Token& token = tokens_.next();
    const std::string& text = token.text;
    if (token.kind == TokenKind::Float) {
        return make(token.position, Literal{std::strtod(text.c_str(), nullptr)});
    }
    const char marker = text.size() > 1 ? static_cast<char>(text[1] | 0x20) : ' ';
    const int base = marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 10;
    const std::size_t skipped = base == 10 ? 0 : 2;
    std::int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data() + skipped, text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw SyntaxFault(token.position, fmt::format("the integer {} is too large", text));
    }
    return make(token.position, Literal{value});
}

ExpressionPtr ExpressionParser::parse_list() {
    const Position where = tokens_.next().position;
    ListDisplay list;
    while (!tokens_.is_operator("]")) {
        if (!list.items.empty()) tokens_.expect_operator(",");
        if (tokens_.is_operator("]")) break;
        list.items.push_back(parse());
    }
    tokens_.expect_operator("]");
    return make(where, std::move(list));
}

ExpressionPtr ExpressionParser::parse_map() {
    const Position where = tokens_.next().position;
    MapDisplay map;
    while (!tokens_.is_operator("}")) {
        if (!map.entries.empty()) tokens_.expect_operator(",");
        if (tokens_.is_operator("}")) break;
        ExpressionPtr key = parse();
        tokens_.expect_operator(":");
        map.entries.emplace_back(std::move(key), parse());
    }
    tokens_.expect_operator("}");
    return make(where, std::move(map));
}

ExpressionPtr ExpressionParser::parse_parentheses() {
    const Position where = tokens_.next().position;
    if (tokens_.accept_operator(")")) return make(where, ListDisplay{{}, true});
    ExpressionPtr expression = parse_tuple();
    tokens_.expect_operator(")");
    return expression;
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr expression) {
    for (std::size_t count = 0;; ++count) {
        if (count > kMaxDepth) tokens_.fail("the expression is too long");
        if (tokens_.is_operator(".")) {
            expression = parse_attribute(std::move(expression));
        } else if (tokens_.is_operator("[")) {
            expression = parse_subscript(std::move(expression));
        } else if (tokens_.is_operator("(")) {
            const Position where = tokens_.peek().position;
            expression = make(where, Call{std::move(expression), parse_arguments()});
        } else {
            return expression;
        }
    }
}

ExpressionPtr ExpressionParser::parse_attribute(ExpressionPtr object) {
    const Position where = tokens_.next().position;
    if (tokens_.is(TokenKind::Integer)) {
        return make(where, Subscript{std::move(object), parse_number()});
    }
    return make(where, Attribute{std::move(object), tokens_.take_name()});
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
    const Position where = tokens_.next().position;
    Slice slice;
    ExpressionPtr* const parts[] = {&slice.start, &slice.stop, &slice.step};
    std::size_t colons = 0;
    while (!tokens_.is_operator("]") && !tokens_.is_operator(",")) {
        if (tokens_.accept_operator(":")) {
            if (++colons > 2) tokens_.fail("a slice with too many colons");
        } else if (*parts[colons] == nullptr) {
            *parts[colons] = parse();
        } else {
            tokens_.fail(fmt::format("expected ']', got {}", tokens_.description()));
        }
    }
    tokens_.expect_operator("]");
    if (colons > 0) {
        slice.object = std::move(object);
        return make(where, std::move(slice));
    }
    if (slice.start == nullptr) tokens_.fail("Expected an expression, got ']'");
    return make(where, Subscript{std::move(object), std::move(slice.start)});
}

CallArguments ExpressionParser::parse_arguments() {
    CallArguments arguments;
    tokens_.expect_operator("(");
    for (bool is_first = true; !tokens_.is_operator(")"); is_first = false) {
        if (!is_first) tokens_.expect_operator(",");
        if (tokens_.is_operator(")")) break;
        const bool is_named = tokens_.is(TokenKind::Name) &&
                              tokens_.peek(1).kind == TokenKind::Operator &&
                              tokens_.peek(1).text == "=";
        if (tokens_.accept_operator("**")) {
            arguments.more_named = parse();
        } else if (tokens_.accept_operator("*")) {
            arguments.more_positional = parse();
        } else if (is_named) {
            std::string name = tokens_.take_name();
            tokens_.next();
            arguments.named.emplace_back(std::move(name), parse());
        } else if (arguments.named.empty() && !arguments.more_named) {
            arguments.positional.push_back(parse());
        } else {
            tokens_.fail("invalid syntax for function call expression");
        }
    }
    tokens_.expect_operator(")");
    return arguments;
}

std::string ExpressionParser::parse_dotted_name() {
    std::string name = tokens_.take_name();
    while (tokens_.accept_operator(".")) name += "." + tokens_.take_name();
    return name;
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr input, bool starts_inline) {
    for (std::size_t count = 0; starts_inline || tokens_.is_operator("|"); ++count) {
        if (count > kMaxDepth) tokens_.fail("too many filters");
        if (!std::exchange(starts_inline, false)) tokens_.next();
        const Position where = tokens_.peek().position;
        std::string name = parse_dotted_name();
        if (find_filter(name) == nullptr) {
            throw SyntaxFault(where, fmt::format("No filter named '{}'.", name));
        }
        CallArguments arguments;
        if (tokens_.is_operator("(")) arguments = parse_arguments();
        input = make(where, FilterCall{std::move(input), std::move(name), std::move(arguments)});
    }
    return input;
}

ExpressionPtr ExpressionParser::parse_filters_and_tests(ExpressionPtr expression) {
    for (std::size_t count = 0;; ++count) {
        if (count > kMaxDepth) tokens_.fail("the expression is too long");
        if (tokens_.is_operator("|")) {
            expression = parse_filters(std::move(expression), false);
        } else if (tokens_.is_name("is")) {
            expression = parse_test(std::move(expression));
        } else if (tokens_.is_operator("(")) {
            const Position where = tokens_.peek().position;
            expression = make(where, Call{std::move(expression), parse_arguments()});
        } else {
            return expression;
        }
    }
}

bool ExpressionParser::starts_test_argument() const {
    switch (tokens_.peek().kind) {
        case TokenKind::Text:
        case TokenKind::Integer:
        case TokenKind::Float:
            return true;
        case TokenKind::Name:
            return !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and") &&
                   !tokens_.is_name("if") && !tokens_.is_name("in") && !tokens_.is_name("not") &&
                   !tokens_.is_name("recursive");
        default:
            return tokens_.is_operator("[") || tokens_.is_operator("{");
    }
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr input) {
    const Position where = tokens_.next().position;
    const bool is_negated = tokens_.accept_name("not");
    std::string name = parse_dotted_name();
    if (find_test(name) == nullptr) {
        throw SyntaxFault(where, fmt::format("No test named '{}'.", name));
    }
    CallArguments arguments;
    if (tokens_.is_operator("(")) {
        arguments = parse_arguments();
    } else if (starts_test_argument()) {
        if (tokens_.is_name("is")) tokens_.fail("You cannot chain multiple tests with is");
        arguments.positional.push_back(parse_postfix(parse_primary()));
    }
    ExpressionPtr test =
        make(where, TestCall{std::move(input), std::move(name), std::move(arguments)});
    return is_negated ? make(where, Unary{"not", std::move(test)}) : std::move(test);
}

}  // namespace espalier::jinja
