#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>

#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

constexpr double kInt64Limit = 9223372036854775808.0;

/// A number as Python's int() and float() read it: blanks around it, single underscores inside.
std::optional<std::string> plain_digits(std::string_view text) {
    std::string result;
    text = strip(text);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            result += text[i];
        } else if (i == 0 || i + 1 == text.size() || text[i - 1] == '_') {
            return std::nullopt;
        }
    }
    if (result.empty()) return std::nullopt;
    return result;
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
    auto digits = plain_digits(text);
    if (!digits) return std::nullopt;
    const bool is_negative = digits->front() == '-';
    if (is_negative || digits->front() == '+') digits->erase(0, 1);
    const std::string prefix = to_lower(digits->substr(0, 2));
    const bool has_prefix = (base == 16 && prefix == "0x") || (base == 8 && prefix == "0o") ||
                            (base == 2 && prefix == "0b");
    if (has_prefix) digits->erase(0, 2);
    if (is_negative) digits->insert(digits->begin(), '-');
    std::int64_t value = 0;
    const char* const end = digits->data() + digits->size();
    const auto [stop, error] = std::from_chars(digits->data(), end, value, base);
    if (error != std::errc() || stop != end) return std::nullopt;
    return value;
}

std::optional<double> parse_float(std::string_view text) {
    const auto digits = plain_digits(text);
    if (!digits || digits->find_first_of("xXpP") != std::string::npos) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(digits->c_str(), &end);
    if (end != digits->c_str() + digits->size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> truncated(double value) {
    if (!(std::fabs(value) < kInt64Limit)) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

Value int_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("int", arguments, {"default", "base"});
    const Value fallback = bound.value(0, 0);
    if (const auto number = input.integer()) return *number;
    std::optional<std::int64_t> result;
    if (const double* number = input.floating()) result = truncated(*number);
    if (const std::string* text = input.text()) {
        const auto base = bound.integer(1, 10);
        if (base < 2 || base > 36) throw Fault(FaultKind::Type, "int() base must be 2 to 36");
        result = parse_integer(*text, static_cast<int>(base));
        if (!result) {
            if (const auto number = parse_float(*text)) result = truncated(*number);
        }
    }
    return result ? Value(*result) : fallback;
}

Value float_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("float", arguments, {"default"});
    if (const auto number = input.number()) return *number;
    if (const std::string* text = input.text()) {
        if (const auto number = parse_float(*text)) return *number;
    }
    return bound.value(0, 0.0);
}

/// Python's round(): the decimal nearest to the exact value, ties to even.
double round_common(double value, std::int64_t precision) {
    if (!std::isfinite(value)) return value;
    if (precision >= 0) {
        const auto digits = static_cast<int>(std::min<std::int64_t>(precision, 400));
        return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
    }
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
}

Value round_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("round", arguments, {"precision", "method"});
    require_defined(input);
    const auto number = input.number();
    if (!number) {
        throw Fault(FaultKind::Type,
                    fmt::format("type {} doesn't define __round__ method", input.type_name()));
    }
    const std::int64_t precision = bound.integer(0, 0);
    const std::string method = bound.string(1, "common");
    if (method == "common") {
        if (!input.integer()) return round_common(*number, precision);
        if (precision >= 0) return *input.integer();
        return static_cast<std::int64_t>(round_common(*number, precision));
    }
    if (method != "ceil" && method != "floor") {
        throw Fault(FaultKind::Type, "method must be common, ceil or floor");
    }
    const double unit = std::pow(10.0, static_cast<double>(precision));
    return (method == "ceil" ? std::ceil(*number * unit) : std::floor(*number * unit)) / unit;
}

Value abs_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("abs", arguments, {});
    require_defined(input);
    if (const auto number = input.integer()) return *number < 0 ? negate(*number) : Value(*number);
    if (const double* number = input.floating()) return std::fabs(*number);
    throw Fault(FaultKind::Type,
                fmt::format("bad operand type for abs(): '{}'", input.type_name()));
}

constexpr std::array kRows{
    FilterRow{"int", int_filter},
    FilterRow{"float", float_filter},
    FilterRow{"round", round_filter},
    FilterRow{"abs", abs_filter},
};

}  // namespace

std::span<const FilterRow> number_filters() { return kRows; }

}  // namespace espalier::jinja
