#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/json_text.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/percent_format.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

constexpr std::size_t kMaxBytes = 64U << 20U;

void check_size(std::size_t bytes) {
    if (bytes > kMaxBytes) throw Fault(FaultKind::Limit, "a text grew too large");
}

Value trim_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("trim", arguments, {"chars"});
    const std::string text = to_text(input);
    if (bound.value(0).is_none()) return strip(text);
    return strip(text, bound.string(0, ""));
}

template <std::string (*Function)(std::string_view)>
Value case_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("upper", arguments, {});
    return Function(to_text(input));
}

/// Words start behind blanks, hyphens and opening brackets; an apostrophe does not start one.
std::string title_words(std::string_view text) {
    std::string result;
    bool is_start = true;
    std::size_t word = 0;
    const auto flush = [&](std::size_t end) {
        result += capitalize(text.substr(word, end - word));
        word = end;
    };
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t start = i;
        const char32_t c = next_code_point(text, i);
        const bool separates =
            is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<';
        if (separates != is_start) flush(start);
        is_start = separates;
    }
    flush(text.size());
    return result;
}

Value string_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("string", arguments, {});
    return to_text(input);
}

Value replace_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("replace", arguments, {"old", "new", "count"}, 2);
    return replace(to_text(input), bound.text(0, ""), bound.text(1, ""), bound.integer(2, -1));
}

Value tojson_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("tojson", arguments,
                               {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonTextOptions options;
    options.escapes_non_ascii = bound.truth(0, false);
    options.sorts_keys = bound.truth(3, false);
    if (const Value indent = bound.value(1); !indent.is_none()) {
        const std::int64_t width =
            std::clamp<std::int64_t>(indent.text() != nullptr ? 0 : bound.integer(1, 0), 0, 1000);
        options.indent = indent.text() != nullptr
                             ? *indent.text()
                             : std::string(static_cast<std::size_t>(width), ' ');
        options.item_separator = ",";
    }
    if (const Value separators = bound.value(2); !separators.is_none()) {
        const std::vector<Value> pair = iterate(separators);
        if (pair.size() != 2) throw Fault(FaultKind::Type, "tojson() wants two separators");
        options.item_separator = to_text(pair[0]);
        options.key_separator = to_text(pair[1]);
    }
    return json_text(input, options);
}

Value truncate_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
    const std::string text = to_text(input);
    const std::string end = bound.string(2, "...");
    const std::int64_t length = bound.integer(0, 255);
    const std::int64_t room = length - count_characters(end);
    if (room < 0) throw Fault(FaultKind::Type, fmt::format("expected length >= {}", length - room));
    if (count_characters(text) <= length + bound.integer(3, 5)) return text;
    std::string_view kept = first_characters(text, room);
    if (!bound.truth(1, false)) kept = kept.substr(0, kept.rfind(' '));
    return std::string(kept) + end;
}

Value indent_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("indent", arguments, {"width", "first", "blank"});
    const bool is_text = bound.value(0).text() != nullptr;
    const std::string indention =
        is_text ? bound.string(0, "") : pad("", bound.integer(0, 4), Alignment::Left);
    const bool indents_blank = bound.truth(2, false);
    const std::vector<std::string> lines = split_lines(to_text(input) + "\n");
    std::string result = bound.truth(1, false) ? indention : "";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i > 0) {
            result += '\n';
            if (indents_blank || !lines[i].empty()) result += indention;
        }
        result += lines[i];
        check_size(result.size());
    }
    return result;
}

Value center_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("center", arguments, {"width"});
    return pad(to_text(input), bound.integer(0, 80), Alignment::Center);
}

Value format_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    if (arguments.named.empty())
        return percent_format(to_text(input), Value::tuple(arguments.positional));
    Map named;
    for (const auto& [name, value] : arguments.named) named.set(name, value);
    return percent_format(to_text(input), named);
}

Value escape_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("escape", arguments, {});
    std::string result;
    for (const char c : to_text(input)) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&#34;";
                break;
            case '\'':
                result += "&#39;";
                break;
            default:
                result += c;
        }
    }
    return result;
}

Value striptags_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("striptags", arguments, {});
    std::string text = to_text(input);
    const auto remove_all = [&text](std::string_view opening, std::string_view closing) {
        std::string kept;
        std::size_t done = 0;
        while (true) {
            const std::size_t start = text.find(opening, done);
            const std::size_t end =
                start == std::string::npos ? start : text.find(closing, start + opening.size());
            if (end == std::string::npos) break;
            kept += text.substr(done, start - done);
            done = end + closing.size();
        }
        text = kept + text.substr(done);
    };
    remove_all("<!--", "-->");
    remove_all("<", ">");
    std::string result;
    for (const std::string& word : split_at_blanks(text, -1)) {
        result += (result.empty() ? "" : " ") + word;
    }
    static constexpr std::pair<const char*, const char*> kEntities[] = {
        {"&lt;", "<"},    {"&gt;", ">"},  {"&#34;", "\""},
        {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
    for (const auto& [entity, character] : kEntities) result = replace(result, entity, character);
    return result;
}

std::string percent_encoded(std::string_view text, std::string_view kept) {
    std::string result;
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') ||
                              std::string_view("_.-~").find(c) != std::string_view::npos ||
                              kept.find(c) != std::string_view::npos;
        if (is_plain) {
            result += c;
        } else {
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return result;
}

Value urlencode_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("urlencode", arguments, {});
    if (input.text() != nullptr || !is_iterable(input)) return percent_encoded(to_text(input), "/");
    std::string result;
    const auto append = [&result](const Value& key, const Value& value) {
        const auto part = [](const Value& text) {
            return replace(percent_encoded(to_text(text), ""), "%20", "+");
        };
        result += (result.empty() ? "" : "&") + part(key) + "=" + part(value);
    };
    if (const Map* map = input.map()) {
        for (const auto& [key, value] : map->entries) append(key, value);
        return result;
    }
    for (const Value& pair : iterate(input)) {
        const std::vector<Value> both = iterate(pair);
        if (both.size() != 2) throw Fault(FaultKind::Type, "urlencode() wants pairs");
        append(both[0], both[1]);
    }
    return result;
}

Value wordcount_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("wordcount", arguments, {});
    const CodePoints words = word_class();
    std::int64_t count = 0;
    bool was_word = false;
    const std::string text = to_text(input);
    for (std::size_t i = 0; i < text.size();) {
        const bool is_word = words.contains(next_code_point(text, i));
        if (is_word && !was_word) ++count;
        was_word = is_word;
    }
    return count;
}

/// Words of a line put into lines of `width` characters; longer words are cut.
std::string wrap_line(const std::string& line, std::int64_t width, const std::string& separator) {
    std::string result;
    std::string current;
    for (std::string_view word_text : split_at_blanks(line, -1)) {
        while (!word_text.empty()) {
            const std::int64_t used = count_characters(current) + (current.empty() ? 0 : 1);
            const bool fits = used + count_characters(word_text) <= width;
            if (!fits && !current.empty()) {
                result += current + separator;
                current.clear();
                continue;
            }
            const std::string_view part = fits ? word_text : first_characters(word_text, width);
            current += (current.empty() ? "" : " ") + std::string(part);
            word_text.remove_prefix(part.size());
        }
    }
    return result + current;
}

Value wordwrap_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("wordwrap", arguments,
                               {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
    const std::int64_t width = bound.integer(0, 79);
    const std::string separator = bound.string(2, "\n");
    std::string result;
    bool is_first = true;
    for (const std::string& line : split_lines(to_text(input))) {
        if (!std::exchange(is_first, false)) result += separator;
        if (count_characters(line) <= width) {
            result += line;
            continue;
        }
        const bool is_plain =
            width > 0 && bound.truth(1, true) && line.find('-') == std::string::npos;
        if (!is_plain) {
            throw Fault(FaultKind::Syntax, "wordwrap of words with hyphens is not supported");
        }
        result += wrap_line(line, width, separator);
    }
    return result;
}

constexpr std::array kRows{
    FilterRow{"trim", trim_filter},
    FilterRow{"upper", case_filter<to_upper>},
    FilterRow{"lower", case_filter<to_lower>},
    FilterRow{"title", case_filter<title_words>},
    FilterRow{"capitalize", case_filter<capitalize>},
    FilterRow{"string", string_filter},
    FilterRow{"safe", string_filter},
    FilterRow{"replace", replace_filter},
    FilterRow{"tojson", tojson_filter},
    FilterRow{"truncate", truncate_filter},
    FilterRow{"indent", indent_filter},
    FilterRow{"center", center_filter},
    FilterRow{"format", format_filter},
    FilterRow{"escape", escape_filter},
    FilterRow{"e", escape_filter},
    FilterRow{"forceescape", escape_filter},
    FilterRow{"striptags", striptags_filter},
    FilterRow{"urlencode", urlencode_filter},
    FilterRow{"wordcount", wordcount_filter},
    FilterRow{"wordwrap", wordwrap_filter},
};

}  // namespace

std::span<const FilterRow> text_filters() { return kRows; }

}  // namespace espalier::jinja
