#include "tokenizer/jinja/brace_format.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

#include "tokenizer/jinja/number_format.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

constexpr std::int64_t kMaxWidth = 100'000;

[[noreturn]] void fail(const std::string& what) { throw Fault(FaultKind::Type, what); }

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 9 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The part of a replacement field behind the colon.
struct Specification {
    std::string fill = " ";
    char align = '\0';
    bool has_type = false;
    NumberFormat number;
};

std::int64_t take_number(std::string_view& text) {
    std::int64_t value = 0;
    while (!text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0) {
        value = value * 10 + (text.front() - '0');
        if (value > kMaxWidth) throw Fault(FaultKind::Limit, "a width above 100000");
        text.remove_prefix(1);
    }
    return value;
}

Specification read_specification(std::string_view text) {
    Specification result;
    const auto accept = [&text](char c) {
        if (!text.starts_with(c)) return false;
        text.remove_prefix(1);
        return true;
    };
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    if (!text.empty()) {
        const std::size_t fill_bytes = utf8_length(text.front());
        if (fill_bytes < text.size() && is_align(text[fill_bytes])) {
            result.fill = std::string(text.substr(0, fill_bytes));
            text.remove_prefix(fill_bytes);
        }
    }
    if (!text.empty() && is_align(text.front())) {
        result.align = text.front();
        text.remove_prefix(1);
    }
    if (!text.empty() && (text.front() == '+' || text.front() == '-' || text.front() == ' ')) {
        result.number.sign = text.front();
        text.remove_prefix(1);
    }
    result.number.is_alternate = accept('#');
    result.number.pads_with_zeros = accept('0') && result.align == '\0';
    result.number.width = take_number(text);
    result.number.groups_thousands = accept(',');
    if (accept('.')) result.number.precision = static_cast<int>(take_number(text));
    result.has_type = !text.empty();
    if (result.has_type) result.number.type = text.front();
    if (text.size() > 1) fail("Invalid format specifier");
    return result;
}

std::string format_value(const Value& value, std::string_view specification_text) {
    if (specification_text.empty()) return to_text(value);
    Specification specification = read_specification(specification_text);
    std::string text;
    bool is_right = false;
    const bool is_numeric = value.is_number() && value.boolean() == nullptr;
    if (is_numeric) {
        is_right = true;
        if (!specification.has_type) {
            specification.number.type = value.integer() ? 'd' : 'g';
            if (!value.integer() && !specification.number.precision) {
                text = to_text(value);
            }
        }
        if (text.empty()) text = format_number(value, specification.number);
    } else {
        if (specification.has_type && specification.number.type != 's') {
            fail(fmt::format("Unknown format code '{}' for object of type '{}'",
                             specification.number.type, value.type_name()));
        }
        text = to_text(value);
        if (specification.number.precision) {
            text = std::string(first_characters(text, *specification.number.precision));
        }
    }
    const Alignment alignment = specification.align == '<'   ? Alignment::Left
                                : specification.align == '>' ? Alignment::Right
                                : specification.align == '^' ? Alignment::Center
                                : is_right                   ? Alignment::Right
                                                             : Alignment::Left;
    if (alignment ==
        Alignment::Center) {  // format() puts the odd blank to the right, center() does not
        const std::int64_t missing = specification.number.width - count_characters(text);
        text = pad(text, count_characters(text) + std::max<std::int64_t>(missing, 0) / 2,
                   Alignment::Right, specification.fill);
        return pad(text, specification.number.width, Alignment::Left, specification.fill);
    }
    return pad(text, specification.number.width, alignment, specification.fill);
}

class BraceFormatter {
public:
    BraceFormatter(std::string_view format, const Arguments& arguments)
        : format_(format), arguments_(arguments) {}

    std::string run() {
        std::string out;
        while (!format_.empty()) {
            const char c = format_.front();
            if (format_.starts_with("{{") || format_.starts_with("}}")) {
                out += c;
                format_.remove_prefix(2);
            } else if (c == '{') {
                out += field();
            } else if (c == '}') {
                fail("Single '}' encountered in format string");
            } else {
                out += c;
                format_.remove_prefix(1);
            }
            if (out.size() > (64U << 20U)) throw Fault(FaultKind::Limit, "a text grew too large");
        }
        return out;
    }

private:
    std::string field() {
        const std::size_t end = format_.find('}');
        if (end == std::string_view::npos) fail("expected '}' before end of string");
        std::string_view body = format_.substr(1, end - 1);
        if (body.find('{') != std::string_view::npos)
            fail("nested replacement fields are not supported");
        format_.remove_prefix(end + 1);
        const std::size_t colon = body.find(':');
        const std::string_view specification =
            colon == std::string_view::npos ? "" : body.substr(colon + 1);
        body = body.substr(0, colon);
        const std::size_t bang = body.find('!');
        Value value = look_up(body.substr(0, bang));
        if (bang != std::string_view::npos) {
            const std::string_view conversion = body.substr(bang + 1);
            if (conversion != "r" && conversion != "s") fail("Unknown conversion specifier");
            value = conversion == "r" ? repr(value) : to_text(value);
        }
        return format_value(value, specification);
    }

    Value argument(std::string_view name) {
        if (name.empty() || is_number(name)) {
            const std::size_t index =
                name.empty() ? next_++ : static_cast<std::size_t>(std::stoul(std::string(name)));
            if (index < arguments_.positional.size()) return arguments_.positional[index];
            fail(fmt::format("Replacement index {} out of range for positional args tuple", index));
        }
        for (const auto& [key, value] : arguments_.named) {
            if (key == name) return value;
        }
        fail(fmt::format("no argument '{}'", name));
    }

    Value look_up(std::string_view path) {
        const std::size_t first = path.find_first_of(".[");
        Value value = argument(path.substr(0, first));
        path = first == std::string_view::npos ? "" : path.substr(first);
        while (!path.empty()) {
            const bool is_item = path.front() == '[';
            path.remove_prefix(1);
            const std::size_t end = is_item ? path.find(']') : path.find_first_of(".[");
            const std::string_view key = path.substr(0, end);
            value = member(value, key);
            path = end == std::string_view::npos ? "" : path.substr(end + (is_item ? 1 : 0));
        }
        return value;
    }

    static Value member(const Value& value, std::string_view key) {
        if (const Map* map = value.map()) {
            if (const Value* found = map->find(key)) return *found;
        }
        if (const Sequence* list = value.list_or_tuple(); list != nullptr && is_number(key)) {
            const std::size_t index = std::stoul(std::string(key));
            if (index < list->items.size()) return list->items[index];
        }
        fail(fmt::format("'{}' object has no '{}'", value.type_name(), key));
    }

    std::string_view format_;
    const Arguments& arguments_;
    std::size_t next_ = 0;
};

}  // namespace

std::string brace_format(std::string_view format, const Arguments& arguments) {
    return BraceFormatter(format, arguments).run();
}

}  // namespace espalier::jinja
