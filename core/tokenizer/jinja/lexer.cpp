#include "tokenizer/jinja/lexer.h"

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "tokenizer/jinja/tag_lexer.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxSourceBytes = 4U << 20U;

std::string normalize_line_ends(std::string_view source) {
    std::string result;
    result.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            result += source[i];
        } else if (i + 1 == source.size() || source[i + 1] != '\n') {
            result += '\n';
        }
    }
    if (result.ends_with('\n')) result.pop_back();
    return result;
}

/// {% raw %} as it stands at the start of `text`.
struct RawTag {
    std::size_t bytes = 0;  ///< 0: there is none
    bool strips_behind = false;
};

/// `name` is "raw" or "endraw"; whitespace behind the tag is left to the caller.
RawTag find_raw_tag(std::string_view text, std::string_view name) {
    std::string_view rest = text.substr(2);
    if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
    rest = strip_left(rest);
    if (!rest.starts_with(name)) return {};
    rest = strip_left(rest.substr(name.size()));
    const bool strips = rest.starts_with('-');
    const bool keeps = name == "endraw" && rest.starts_with('+');
    if (strips || keeps) rest.remove_prefix(1);
    if (!rest.starts_with("%}")) return {};
    return {text.size() - rest.size() + 2, strips};
}

class TemplateLexer {
public:
    explicit TemplateLexer(std::string_view source) : cursor_(source) {}

    std::vector<Token> run() {
        while (!cursor_.at_end()) {
            const std::size_t opening = find_opening(cursor_.rest());
            const Position where = cursor_.position();
            const std::string_view text = cursor_.rest().substr(0, opening);
            if (opening == std::string_view::npos) {
                push_data(text, where);
                cursor_.take(text.size());
                break;
            }
            push_data(stripped(text, cursor_.rest().substr(opening)), where);
            cursor_.take(text.size());
            read_markup();
            is_line_start_ = cursor_.before().ends_with('\n');
        }
        tokens_.push_back({TokenKind::End, "", cursor_.position()});
        return std::move(tokens_);
    }

private:
    static std::size_t find_opening(std::string_view text) {
        for (std::size_t i = text.find('{'); i != std::string_view::npos;
             i = text.find('{', i + 1)) {
            const std::string_view mark = text.substr(i, 2);
            if (mark == "{{" || mark == "{%" || mark == "{#") return i;
        }
        return std::string_view::npos;
    }

    /// What stays of the text before a tag.
    std::string_view stripped(std::string_view text, std::string_view tag) const {
        const char sign = tag.size() > 2 ? tag[2] : ' ';
        if (sign == '-') return strip_right(text);
        if (sign == '+' || tag.starts_with("{{")) return text;
        const std::size_t newline = text.rfind('\n');
        const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
        if (line == 0 && !is_line_start_) return text;
        return strip_left(text.substr(line)).empty() ? text.substr(0, line) : text;
    }

    void push_data(std::string_view text, Position where) {
        if (!text.empty()) tokens_.push_back({TokenKind::Data, std::string(text), where});
    }

    void read_markup() {
        if (cursor_.starts_with("{#")) return read_comment();
        if (cursor_.starts_with("{%")) {
            const RawTag raw = find_raw_tag(cursor_.rest(), "raw");
            if (raw.bytes > 0) return read_raw(raw);
        }
        const bool is_print = cursor_.starts_with("{{");
        const Position where = cursor_.position();
        tokens_.push_back({is_print ? TokenKind::PrintBegin : TokenKind::StatementBegin,
                           std::string(cursor_.take(2)), where});
        if (cursor_.starts_with("-") || (cursor_.starts_with("+") && !is_print)) cursor_.take(1);
        read_tag(cursor_, is_print ? "}}" : "%}", tokens_);
    }

    void read_comment() {
        const Position where = cursor_.position();
        cursor_.take(2);
        const std::size_t end = cursor_.rest().find("#}");
        if (end == std::string_view::npos) throw SyntaxFault(where, "Missing end of comment tag");
        const char sign = end > 0 ? cursor_.rest()[end - 1] : ' ';
        cursor_.take(sign == '-' || sign == '+' ? end - 1 : end);
        accept_tag_end(cursor_, "#}");
    }

    void read_raw(const RawTag& raw) {
        const Position where = cursor_.position();
        cursor_.take(raw.bytes);
        if (raw.strips_behind) cursor_.skip_spaces();
        is_line_start_ = cursor_.before().ends_with('\n');
        const std::string_view rest = cursor_.rest();
        for (std::size_t i = rest.find("{%"); i != std::string_view::npos;
             i = rest.find("{%", i + 1)) {
            const RawTag end = find_raw_tag(rest.substr(i), "endraw");
            if (end.bytes == 0) continue;
            push_data(stripped(rest.substr(0, i), rest.substr(i)), cursor_.position());
            cursor_.take(i + end.bytes);
            if (end.strips_behind) {
                cursor_.skip_spaces();
            } else if (!cursor_.before().ends_with("+%}")) {
                cursor_.accept("\n");
            }
            return;
        }
        throw SyntaxFault(where, "Missing end of raw directive");
    }

    SourceCursor cursor_;
    bool is_line_start_ = true;
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
    if (source.size() > kMaxSourceBytes || !is_valid_utf8(source)) {
        throw SyntaxFault({}, "the template is too long, or not UTF-8");
    }
    const std::string text = normalize_line_ends(source);
    return TemplateLexer(text).run();
}

}  // namespace espalier::jinja
