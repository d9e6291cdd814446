#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unicode/uchar.h>
#include <utility>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/brace_format.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/text.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier::jinja {
namespace {

const std::string& text_of(const Value& self) { return *self.text(); }

Value list_of(std::vector<std::string> parts) {
    std::vector<Value> items;
    for (std::string& part : parts) items.emplace_back(std::move(part));
    return Value::list(std::move(items));
}

template <std::string_view (*Function)(std::string_view, std::optional<std::string_view>)>
Value strip_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("strip", arguments, {"chars"});
    const bool has_set = bound.find(0) != nullptr && !bound.find(0)->is_none();
    const std::string set = bound.string(0, "");
    return std::string(has_set ? Function(text_of(self), set) : Function(text_of(self), {}));
}

template <std::string (*Function)(std::string_view)>
Value case_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("upper", arguments, {});
    return Function(text_of(self));
}

Value split_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("split", arguments, {"sep", "maxsplit"});
    const std::int64_t max_count = bound.integer(1, -1);
    const bool at_blanks = bound.value(0).is_none();
    return list_of(at_blanks ? split_at_blanks(text_of(self), max_count)
                             : split_at(text_of(self), bound.string(0, ""), max_count));
}

Value rsplit_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("rsplit", arguments, {"sep", "maxsplit"});
    const std::int64_t max_count = bound.integer(1, -1);
    const bool at_blanks = bound.value(0).is_none();
    return list_of(at_blanks ? split_at_blanks_right(text_of(self), max_count)
                             : split_at_right(text_of(self), bound.string(0, ""), max_count));
}

Value splitlines_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("splitlines", arguments, {"keepends"});
    return list_of(split_lines(text_of(self), bound.truth(0, false)));
}

Value partition_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("partition", arguments, {"sep"}, 1);
    auto parts = split_at(text_of(self), bound.string(0, ""), 1);
    if (parts.size() == 1) return Value::tuple({std::move(parts[0]), "", ""});
    return Value::tuple({std::move(parts[0]), bound.string(0, ""), std::move(parts[1])});
}

Value rpartition_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("rpartition", arguments, {"sep"}, 1);
    auto parts = split_at_right(text_of(self), bound.string(0, ""), 1);
    if (parts.size() == 1) return Value::tuple({"", "", std::move(parts[0])});
    return Value::tuple({std::move(parts[0]), bound.string(0, ""), std::move(parts[1])});
}

/// Bytes of the part that `start` and `end`, in characters, leave.
struct Stretch {
    std::string_view text;
    std::size_t offset;  ///< bytes left out before it
    bool is_empty_range;
};

Stretch stretch(const std::string& text, const BoundArguments& bound) {
    const std::int64_t size = count_characters(text);
    const auto place = [size](std::int64_t index) {
        return std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size);
    };
    const std::int64_t start = bound.integer(1, 0);
    const std::int64_t end = place(bound.integer(2, size));
    const std::size_t begin_byte = first_characters(text, place(start)).size();
    const std::size_t end_byte = first_characters(text, end).size();
    if (start > size || end_byte < begin_byte) return {{}, begin_byte, true};
    return {std::string_view(text).substr(begin_byte, end_byte - begin_byte), begin_byte, false};
}

template <bool FromRight, bool Raises>
Value find_method_of(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("find", arguments, {"sub", "start", "end"}, 1);
    const Stretch part = stretch(text_of(self), bound);
    const std::string wanted = bound.string(0, "");
    const std::size_t found = part.is_empty_range ? std::string_view::npos
                              : FromRight         ? part.text.rfind(wanted)
                                                  : part.text.find(wanted);
    if (found != std::string_view::npos) {
        return character_index(text_of(self), part.offset + found);
    }
    if (Raises) throw Fault(FaultKind::Type, "substring not found");
    return -1;
}

Value count_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("count", arguments, {"sub", "start", "end"}, 1);
    const Stretch part = stretch(text_of(self), bound);
    const std::string wanted = bound.string(0, "");
    if (part.is_empty_range) return 0;
    if (wanted.empty()) return count_characters(part.text) + 1;
    std::int64_t count = 0;
    for (std::size_t i = part.text.find(wanted); i != std::string_view::npos;
         i = part.text.find(wanted, i + wanted.size())) {
        ++count;
    }
    return count;
}

template <bool AtEnd>
Value affix_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const char* name = AtEnd ? "endswith" : "startswith";
    const BoundArguments bound(name, arguments, {"prefix", "start", "end"}, 1);
    const Stretch part = stretch(text_of(self), bound);
    const auto fits = [&](const Value& affix) {
        require_defined(affix);
        if (affix.text() == nullptr) {
            throw Fault(FaultKind::Type,
                        fmt::format("{} first arg must be str or a tuple of str, not {}", name,
                                    affix.type_name()));
        }
        return AtEnd ? part.text.ends_with(*affix.text()) : part.text.starts_with(*affix.text());
    };
    if (part.is_empty_range) return false;
    const Sequence* tuple = bound.find(0)->list_or_tuple();
    if (tuple == nullptr || tuple->kind != Sequence::Kind::Tuple) return fits(*bound.find(0));
    return std::any_of(tuple->items.begin(), tuple->items.end(), fits);
}

Value replace_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("replace", arguments, {"old", "new", "count"}, 2);
    return replace(text_of(self), bound.string(0, ""), bound.string(1, ""), bound.integer(2, -1));
}

Value join_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("join", arguments, {"iterable"}, 1);
    std::string result;
    bool is_first = true;
    for (const Value& item : iterate(*bound.find(0))) {
        if (item.text() == nullptr) {
            throw Fault(
                FaultKind::Type,
                fmt::format("sequence item: expected str instance, {} found", item.type_name()));
        }
        if (!std::exchange(is_first, false)) result += text_of(self);
        result += *item.text();
        if (result.size() > (64U << 20U)) throw Fault(FaultKind::Limit, "a text grew too large");
    }
    return result;
}

Value removeprefix_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("removeprefix", arguments, {"prefix"}, 1);
    std::string_view text = text_of(self);
    if (const std::string prefix = bound.string(0, ""); text.starts_with(prefix)) {
        text.remove_prefix(prefix.size());
    }
    return text;
}

Value removesuffix_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("removesuffix", arguments, {"suffix"}, 1);
    std::string_view text = text_of(self);
    if (const std::string suffix = bound.string(0, ""); text.ends_with(suffix)) {
        text.remove_suffix(suffix.size());
    }
    return text;
}

template <Alignment Where>
Value pad_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("center", arguments, {"width", "fillchar"}, 1);
    const std::string fill = bound.string(1, " ");
    if (count_characters(fill) != 1) {
        throw Fault(FaultKind::Type, "The fill character must be exactly one character long");
    }
    return pad(text_of(self), bound.integer(0, 0), Where, fill);
}

Value zfill_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("zfill", arguments, {"width"}, 1);
    const std::string& text = text_of(self);
    const bool is_signed = text.starts_with('-') || text.starts_with('+');
    const std::string sign = is_signed ? text.substr(0, 1) : "";
    return sign + pad(text.substr(sign.size()),
                      bound.integer(0, 0) - static_cast<std::int64_t>(sign.size()),
                      Alignment::Right, "0");
}

Value expandtabs_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("expandtabs", arguments, {"tabsize"});
    const std::int64_t size = std::clamp<std::int64_t>(bound.integer(0, 8), 0, 1000);
    std::string result;
    std::int64_t column = 0;
    for (const std::string& character : characters(text_of(self))) {
        if (character == "\t") {
            const std::int64_t blanks = size > 0 ? size - column % size : 0;
            result.append(static_cast<std::size_t>(blanks), ' ');
            column += blanks;
        } else {
            result += character;
            column = character == "\n" || character == "\r" ? 0 : column + 1;
        }
        if (result.size() > (64U << 20U)) throw Fault(FaultKind::Limit, "a text grew too large");
    }
    return result;
}

Value format_method(Evaluator&, const Value& self, const Arguments& arguments) {
    return brace_format(text_of(self), arguments);
}

bool is_numeric_type(UChar32 c, int least) {
    const int type = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
    return least == U_NT_DECIMAL ? type == U_NT_DECIMAL
           : least == U_NT_DIGIT ? type == U_NT_DECIMAL || type == U_NT_DIGIT
                                 : type != U_NT_NONE;
}

bool is_decimal(UChar32 c) { return is_numeric_type(c, U_NT_DECIMAL); }
bool is_digit(UChar32 c) { return is_numeric_type(c, U_NT_DIGIT); }
bool is_numeric(UChar32 c) { return is_numeric_type(c, U_NT_NUMERIC); }
bool is_alpha(UChar32 c) { return (U_GET_GC_MASK(c) & U_GC_L_MASK) != 0; }
bool is_alnum(UChar32 c) { return is_alpha(c) || is_numeric(c); }
bool is_blank(UChar32 c) { return is_space(static_cast<char32_t>(c)); }
bool is_ascii(UChar32 c) { return c < 0x80; }

/// True if there are characters and all are of the kind.
template <bool (*Kind)(UChar32)>
Value all_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("isdigit", arguments, {});
    const std::string_view text = text_of(self);
    for (std::size_t i = 0; i < text.size();) {
        if (!Kind(static_cast<UChar32>(next_code_point(text, i)))) return false;
    }
    return !text.empty() || Kind == is_ascii;
}

template <bool Upper>
Value is_cased_method(Evaluator&, const Value& self, const Arguments& arguments) {
    const BoundArguments bound("isupper", arguments, {});
    return Upper ? is_upper(text_of(self)) : is_lower(text_of(self));
}

constexpr std::array kRows{
    MethodRow{"strip", strip_method<strip>},
    MethodRow{"lstrip", strip_method<strip_left>},
    MethodRow{"rstrip", strip_method<strip_right>},
    MethodRow{"split", split_method},
    MethodRow{"rsplit", rsplit_method},
    MethodRow{"splitlines", splitlines_method},
    MethodRow{"partition", partition_method},
    MethodRow{"rpartition", rpartition_method},
    MethodRow{"startswith", affix_method<false>},
    MethodRow{"endswith", affix_method<true>},
    MethodRow{"upper", case_method<to_upper>},
    MethodRow{"lower", case_method<to_lower>},
    MethodRow{"title", case_method<to_title>},
    MethodRow{"capitalize", case_method<capitalize>},
    MethodRow{"swapcase", case_method<swap_case>},
    MethodRow{"casefold", case_method<fold_case>},
    MethodRow{"replace", replace_method},
    MethodRow{"find", find_method_of<false, false>},
    MethodRow{"rfind", find_method_of<true, false>},
    MethodRow{"index", find_method_of<false, true>},
    MethodRow{"rindex", find_method_of<true, true>},
    MethodRow{"count", count_method},
    MethodRow{"join", join_method},
    MethodRow{"removeprefix", removeprefix_method},
    MethodRow{"removesuffix", removesuffix_method},
    MethodRow{"zfill", zfill_method},
    MethodRow{"ljust", pad_method<Alignment::Left>},
    MethodRow{"rjust", pad_method<Alignment::Right>},
    MethodRow{"center", pad_method<Alignment::Center>},
    MethodRow{"expandtabs", expandtabs_method},
    MethodRow{"format", format_method},
    MethodRow{"isdigit", all_method<is_digit>},
    MethodRow{"isdecimal", all_method<is_decimal>},
    MethodRow{"isnumeric", all_method<is_numeric>},
    MethodRow{"isalpha", all_method<is_alpha>},
    MethodRow{"isalnum", all_method<is_alnum>},
    MethodRow{"isspace", all_method<is_blank>},
    MethodRow{"isascii", all_method<is_ascii>},
    MethodRow{"isupper", is_cased_method<true>},
    MethodRow{"islower", is_cased_method<false>},
};

}  // namespace

Method find_text_method(std::string_view name) {
    const auto found = std::find_if(kRows.begin(), kRows.end(),
                                    [name](const MethodRow& row) { return row.name == name; });
    return found == kRows.end() ? nullptr : found->method;
}

}  // namespace espalier::jinja
