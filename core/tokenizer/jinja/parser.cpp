#include "tokenizer/jinja/parser.h"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <utility>

#include "tokenizer/jinja/expression_parser.h"

namespace espalier::jinja {
namespace {

constexpr int kMaxDepth = 60;

class Parser {
public:
    explicit Parser(std::string_view source) : tokens_(tokenize(source)), expressions_(tokens_) {
        expressions_.on_name = [this](std::string_view name) { note_name(name); };
    }

    Block parse() {
        Block block = parse_block({});
        if (!tokens_.is(TokenKind::End)) tokens_.fail("unexpected " + tokens_.description());
        return block;
    }

private:
    using Names = std::initializer_list<std::string_view>;

    /// Up to one of the tags `ends`, whose name is left as the next token; at the top, up to the
    /// end.
    Block parse_block(Names ends) {
        if (++depth_ > kMaxDepth) tokens_.fail("blocks are nested too deeply");
        Block block;
        while (!tokens_.is(TokenKind::End)) {
            const Position where = tokens_.peek().position;
            if (tokens_.is(TokenKind::Data)) {
                block.push_back({where, Data{tokens_.next().text}});
            } else if (tokens_.is(TokenKind::PrintBegin)) {
                tokens_.next();
                block.push_back({where, Print{expressions_.parse_tuple()}});
                tokens_.expect(TokenKind::PrintEnd);
            } else {
                tokens_.expect(TokenKind::StatementBegin);
                const auto is_next = [this](std::string_view end) { return tokens_.is_name(end); };
                if (std::any_of(ends.begin(), ends.end(), is_next)) break;
                block.push_back(parse_statement(where));
            }
        }
        if (ends.size() > 0 && tokens_.is(TokenKind::End)) {
            tokens_.fail(
                fmt::format("Unexpected end of template; '{}' is missing", *std::prev(ends.end())));
        }
        --depth_;
        return block;
    }

    /// The body of the tag that is being read, its end tag included.
    Block parse_body(std::string_view end) {
        tokens_.expect(TokenKind::StatementEnd);
        Block block = parse_block({end});
        tokens_.next();
        tokens_.expect(TokenKind::StatementEnd);
        return block;
    }

    Statement parse_statement(Position where) {
        if (!tokens_.is(TokenKind::Name)) tokens_.fail("tag name expected");
        const std::string tag = tokens_.next().text;
        if (tag == "if") return {where, parse_if()};
        if (tag == "for") return {where, parse_for()};
        if (tag == "set") return parse_set(where);
        if (tag == "macro") return {where, parse_macro()};
        if (tag == "call") return {where, parse_call_block()};
        if (tag == "filter") {
            ExpressionPtr filter = expressions_.parse_filters(nullptr, true);
            return {where, FilterBlock{std::move(filter), parse_body("endfilter")}};
        }
        if (tag == "with") return {where, parse_with()};
        if (tag == "generation") return {where, Generation{parse_body("endgeneration")}};
        if (tag == "block") return {where, parse_named_block()};
        if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") {
            while (!tokens_.is(TokenKind::StatementEnd)) tokens_.next();
            return end_statement(where, Import{});
        }
        if (tag == "print") return end_statement(where, Print{expressions_.parse_tuple()});
        if (tag == "break" || tag == "continue") return parse_jump(where, tag);
        throw SyntaxFault(where, fmt::format("Encountered unknown tag '{}'.", tag));
    }

    Statement end_statement(Position where, Statement::Node node) {
        tokens_.expect(TokenKind::StatementEnd);
        return {where, std::move(node)};
    }

    Statement parse_jump(Position where, const std::string& tag) {
        if (loop_depth_ == 0) {
            throw SyntaxFault(where, fmt::format("'{}' outside loop", tag));
        }
        if (tag == "break") return end_statement(where, Break{});
        return end_statement(where, Continue{});
    }

    If parse_if() {
        If result;
        while (true) {
            ExpressionPtr condition = expressions_.parse_tuple(false);
            tokens_.expect(TokenKind::StatementEnd);
            Block body = parse_block({"elif", "else", "endif"});
            result.branches.emplace_back(std::move(condition), std::move(body));
            if (!tokens_.accept_name("elif")) break;
        }
        if (tokens_.accept_name("else")) {
            tokens_.expect(TokenKind::StatementEnd);
            result.otherwise = parse_block({"endif"});
        }
        tokens_.expect_name("endif");
        tokens_.expect(TokenKind::StatementEnd);
        return result;
    }

    For parse_for() {
        For result;
        if (tokens_.is(TokenKind::StatementEnd)) {
            tokens_.fail("Expected an expression, got " + tokens_.description());
        }
        result.target = parse_target(false);
        tokens_.expect_name("in");
        result.iterable = expressions_.parse_tuple(false);
        if (tokens_.accept_name("if")) result.condition = expressions_.parse();
        result.is_recursive = tokens_.accept_name("recursive");
        tokens_.expect(TokenKind::StatementEnd);
        ++loop_depth_;
        result.body = parse_block({"else", "endfor"});
        --loop_depth_;
        if (tokens_.accept_name("else")) {
            tokens_.expect(TokenKind::StatementEnd);
            result.otherwise = parse_block({"endfor"});
        }
        tokens_.expect_name("endfor");
        tokens_.expect(TokenKind::StatementEnd);
        return result;
    }

    Target parse_single_target(bool takes_namespace) {
        Target target;
        if (tokens_.accept_operator("(")) {
            target = parse_target(takes_namespace);
            tokens_.expect_operator(")");
            return target;
        }
        target.name = tokens_.take_name();
        static constexpr std::string_view kReserved[] = {"true", "false", "none",
                                                         "True", "False", "None"};
        if (std::find(std::begin(kReserved), std::end(kReserved), target.name) !=
            std::end(kReserved)) {
            tokens_.fail(fmt::format("can't assign to '{}'", target.name));
        }
        if (takes_namespace && tokens_.accept_operator(".")) target.attribute = tokens_.take_name();
        return target;
    }

    Target parse_target(bool takes_namespace) {
        if (++depth_ > kMaxDepth) tokens_.fail("targets are nested too deeply");
        Target first = parse_single_target(takes_namespace);
        if (tokens_.is_operator(",")) {
            Target tuple;
            tuple.members.push_back(std::move(first));
            while (tokens_.accept_operator(",")) {
                const bool is_end = tokens_.is_name("in") || tokens_.is_operator("=") ||
                                    tokens_.is_operator(")") || tokens_.is(TokenKind::StatementEnd);
                if (is_end) break;
                tuple.members.push_back(parse_single_target(takes_namespace));
            }
            first = std::move(tuple);
        }
        --depth_;
        return first;
    }

    Statement parse_set(Position where) {
        Target target = parse_target(true);
        if (tokens_.accept_operator("=")) {
            return end_statement(where, Set{std::move(target), expressions_.parse_tuple()});
        }
        ExpressionPtr filter;
        if (tokens_.is_operator("|")) filter = expressions_.parse_filters(nullptr, false);
        return {where, SetBlock{std::move(target), std::move(filter), parse_body("endset")}};
    }

    void note_name(std::string_view name) {
        for (Signature* signature : open_macros_) {
            if (name == "varargs") signature->takes_varargs = true;
            if (name == "kwargs") signature->takes_kwargs = true;
            if (name == "caller") signature->takes_caller = true;
        }
    }

    void parse_parameters(Signature& signature) {
        tokens_.expect_operator("(");
        while (!tokens_.is_operator(")")) {
            if (!signature.parameters.empty()) tokens_.expect_operator(",");
            if (tokens_.is_operator(")")) break;
            Signature::Parameter parameter{tokens_.take_name(), nullptr};
            if (tokens_.accept_operator("=")) {
                parameter.fallback = expressions_.parse();
            } else if (!signature.parameters.empty() && signature.parameters.back().fallback) {
                tokens_.fail("non-default argument follows default argument");
            }
            signature.parameters.push_back(std::move(parameter));
        }
        tokens_.expect_operator(")");
    }

    /// Loops outside a macro cannot be left from within.
    Block parse_macro_body(Signature& signature, std::string_view end) {
        open_macros_.push_back(&signature);
        const int loops = std::exchange(loop_depth_, 0);
        Block body = parse_body(end);
        loop_depth_ = loops;
        open_macros_.pop_back();
        return body;
    }

    MacroDefinition parse_macro() {
        MacroDefinition macro;
        macro.name = tokens_.take_name();
        parse_parameters(macro.signature);
        macro.body = parse_macro_body(macro.signature, "endmacro");
        return macro;
    }

    CallBlock parse_call_block() {
        CallBlock block;
        if (tokens_.is_operator("(")) parse_parameters(block.signature);
        const Position where = tokens_.peek().position;
        block.call = expressions_.parse();
        if (!std::holds_alternative<Call>(block.call->node))
            throw SyntaxFault(where, "expected call");
        block.body = parse_macro_body(block.signature, "endcall");
        return block;
    }

    With parse_with() {
        With with;
        while (!tokens_.is(TokenKind::StatementEnd)) {
            if (!with.assignments.empty()) tokens_.expect_operator(",");
            Target target = parse_single_target(false);
            tokens_.expect_operator("=");
            with.assignments.emplace_back(std::move(target), expressions_.parse());
        }
        with.body = parse_body("endwith");
        return with;
    }

    Scoped parse_named_block() {
        tokens_.take_name();
        tokens_.accept_name("scoped");
        tokens_.accept_name("required");
        tokens_.expect(TokenKind::StatementEnd);
        Scoped result{parse_block({"endblock"})};
        tokens_.next();
        if (tokens_.is(TokenKind::Name)) tokens_.next();
        tokens_.expect(TokenKind::StatementEnd);
        return result;
    }

    TokenStream tokens_;
    ExpressionParser expressions_;
    std::vector<Signature*> open_macros_;
    int depth_ = 0;
    int loop_depth_ = 0;
};

}  // namespace

Block parse_template(std::string_view source) { return Parser(source).parse(); }

}  // namespace espalier::jinja
