#include "tokenizer/regex_syntax.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/regex_reader.h"
#include "tokenizer/unicode_classes.h"

namespace espalier {
namespace {

constexpr int kMaxGroupDepth = 32;
constexpr std::size_t kMaxSets = 1024;

struct Flags {
    bool ignores_case = false;
    bool dot_takes_newline = false;
};

class RegexParser {
public:
    explicit RegexParser(std::string_view pattern) : reader_(pattern) {}

    RegexSyntax parse() {
        parse_alternatives({}, 0);
        if (!reader_.at_end()) reader_.fail("a ) too many");
        return std::move(result_);
    }

private:
    void emit(std::string syntax) { result_.parts.push_back({std::move(syntax), -1}); }

    void emit_set(const CodePoints& set) {
        const auto found = std::find(result_.sets.begin(), result_.sets.end(), set);
        result_.parts.push_back({"", static_cast<int>(found - result_.sets.begin())});
        if (found != result_.sets.end()) return;
        if (result_.sets.size() == kMaxSets) reader_.fail("too many different classes");
        result_.sets.push_back(set);
    }

    void emit_literal(char32_t code_point, Flags flags) {
        CodePoints set(code_point);
        if (flags.ignores_case) set.close_over_case();
        emit_set(set);
    }

    /// Up to the closing parenthesis, which is left, or the end.
    void parse_alternatives(Flags flags, int depth) {
        if (depth > kMaxGroupDepth) reader_.fail("groups nested too deeply");
        while (!reader_.at_end() && reader_.peek() != U')') {
            if (reader_.accept(U"|")) {
                emit("|");
                continue;
            }
            const std::size_t atom = result_.parts.size();
            parse_atom(flags, depth);
            for (bool is_first = true; parse_quantifier(atom, is_first);) is_first = false;
        }
    }

    void parse_atom(Flags flags, int depth) {
        const char32_t c = reader_.take();
        switch (c) {
            case U'(':
                return parse_group(flags, depth);
            case U'[':
                return emit_set(reader_.read_class(flags.ignores_case));
            case U'.':
                return emit_dot(flags);
            case U'^':
                return emit_line_start();
            case U'$':
                return emit_line_end();
            case U'\\':
                return parse_escape(flags);
            case U'*':
            case U'+':
            case U'?':
                reader_.fail("nothing to repeat");
            default:
                return emit_literal(c, flags);
        }
    }

    void emit_dot(Flags flags) {
        CodePoints set;
        if (!flags.dot_takes_newline) set.add({U'\n', U'\n'});
        set.complement();
        emit_set(set);
    }

    /// At the start, and after a newline unless the text ends there.
    void emit_line_start() {
        emit("(?:\\A|(?<=");
        emit_set(CodePoints(U'\n'));
        emit(")(?!\\z))");
    }

    void emit_line_end() {
        emit("(?=");
        emit_set(CodePoints(U'\n'));
        emit("|\\z)");
    }

    void emit_word_boundary(bool negated) {
        const CodePoints word = word_class();
        const char* const outer[2][5] = {{"(?:(?<=", ")(?!", ")|(?<!", ")(?=", "))"},
                                         {"(?:(?<=", ")(?=", ")|(?<!", ")(?!", "))"}};
        for (int i = 0; i < 5; ++i) {
            if (i > 0) emit_set(word);
            emit(outer[negated ? 1 : 0][i]);
        }
    }

    void parse_escape(Flags flags) {
        if (reader_.accept(U"A")) return emit("\\A");
        if (reader_.accept(U"z")) return emit("\\z");
        if (reader_.accept(U"b")) return emit_word_boundary(false);
        if (reader_.accept(U"B")) return emit_word_boundary(true);
        if (reader_.accept(U"Z")) {
            emit("(?=");
            emit_set(CodePoints(U'\n'));
            return emit("?\\z)");
        }
        auto escape = reader_.read_escape();
        if (const auto* literal = std::get_if<char32_t>(&escape))
            return emit_literal(*literal, flags);
        CodePoints set = std::get<CodePoints>(std::move(escape));
        if (flags.ignores_case) set.close_over_case();
        emit_set(set);
    }

    void parse_group(Flags flags, int depth) {
        if (reader_.accept(U"?#")) {
            while (reader_.take() != U')') {
            }
            return emit("(?:)");
        }
        static constexpr std::pair<std::u32string_view, const char*> kKinds[] = {
            {U"?:", "(?:"}, {U"?=", "(?="},   {U"?!", "(?!"},
            {U"?>", "(?>"}, {U"?<=", "(?<="}, {U"?<!", "(?<!"}};
        for (const auto& [prefix, syntax] : kKinds) {
            if (reader_.accept(prefix)) return parse_group_body(syntax, flags, depth);
        }
        if (reader_.accept(U"?<")) {  // named: nothing can refer to it
            while (reader_.take() != U'>') {
            }
            return parse_group_body("(?:", flags, depth);
        }
        if (reader_.accept(U"?")) return parse_flags(flags, depth);
        parse_group_body("(?:", flags, depth);
    }

    void parse_group_body(const char* opening, Flags flags, int depth) {
        emit(opening);
        parse_alternatives(flags, depth + 1);
        if (!reader_.accept(U")")) reader_.fail("a ) is missing");
        emit(")");
    }

    /// (?i:…) or (?i)…, which reaches to the end of the group around it.
    void parse_flags(Flags flags, int depth) {
        bool value = true;
        for (char32_t c = reader_.take();; c = reader_.take()) {
            if (c == U':') return parse_group_body("(?:", flags, depth);
            if (c == U')') break;
            if (c == U'-') {
                value = false;
            } else if (c == U'i') {
                flags.ignores_case = value;
            } else if (c == U'm') {
                flags.dot_takes_newline = value;
            } else {
                reader_.fail("this option of a group is not supported");
            }
        }
        emit("(?:");
        parse_alternatives(flags, depth + 1);
        emit(")");
    }

    struct Repetition {
        std::string syntax;
        bool is_interval = false;
        bool is_fixed = false;
    };

    /// {n} {n,} {,m} {n,m}; anything else is a literal brace.
    Repetition read_interval() {
        const std::size_t start = reader_.position();
        if (!reader_.accept(U"{")) return {};
        const auto low = reader_.read_number();
        const bool has_comma = reader_.accept(U",");
        const auto high = has_comma ? reader_.read_number() : low;
        if (!reader_.accept(U"}") || (!low && !high)) {
            reader_.rewind(start);
            return {};
        }
        if (high && high < low) reader_.fail("an interval that runs backwards");
        const std::string last = high ? fmt::to_string(*high) : "";
        return {fmt::format("{{{},{}}}", low.value_or(0), last), true, !has_comma};
    }

    Repetition read_repetition() {
        if (reader_.accept(U"*")) return {"*"};
        if (reader_.accept(U"+")) return {"+"};
        if (reader_.accept(U"?")) return {"?"};
        return read_interval();
    }

    bool parse_quantifier(std::size_t atom, bool is_first) {
        Repetition repetition = read_repetition();
        if (repetition.syntax.empty()) return false;
        if (!repetition.is_fixed && reader_.accept(U"?")) {
            repetition.syntax += '?';
        } else if (!repetition.is_interval && reader_.accept(U"+")) {
            repetition.syntax += '+';
        }
        if (!is_first) {  // a quantifier of a quantifier
            result_.parts.insert(result_.parts.begin() + static_cast<std::ptrdiff_t>(atom),
                                 {"(?:", -1});
            emit(")");
        }
        emit(std::move(repetition.syntax));
        return true;
    }

    RegexReader reader_;
    RegexSyntax result_;
};

}  // namespace

RegexSyntax parse_regex(std::string_view pattern) { return RegexParser(pattern).parse(); }

}  // namespace espalier
