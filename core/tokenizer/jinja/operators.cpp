#include "tokenizer/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <utility>

#include "tokenizer/jinja/percent_format.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

[[noreturn]] void type_fault(const std::string& message) { throw Fault(FaultKind::Type, message); }

[[noreturn]] void no_operator(std::string_view op, const Value& a, const Value& b) {
    type_fault(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", op, a.type_name(),
                           b.type_name()));
}

void check_overflow(bool overflows) {
    if (overflows) throw Fault(FaultKind::Limit, "an integer leaves the range of 64 bits");
}

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    if (b == -1) {
        check_overflow(a == kLowest);
        return -a;
    }
    return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
    std::int64_t result = 1;
    for (std::int64_t i = 0; i < exponent; ++i) {
        if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
        if (base == -1) return exponent % 2 == 0 ? 1 : -1;
        check_overflow(__builtin_mul_overflow(result, base, &result));
    }
    return result;
}

Value integer_arithmetic(std::string_view op, std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (op == "+" || op == "-" || op == "*") {
        check_overflow(op == "+"   ? __builtin_add_overflow(a, b, &result)
                       : op == "-" ? __builtin_sub_overflow(a, b, &result)
                                   : __builtin_mul_overflow(a, b, &result));
        return result;
    }
    if (op == "**") {
        if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
        return integer_power(a, b);
    }
    if (b == 0) type_fault("division by zero");
    if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
    const std::int64_t quotient = floor_divide(a, b);
    return op == "//" ? quotient : b == -1 ? 0 : a - quotient * b;
}

Value float_arithmetic(std::string_view op, double a, double b) {
    if (op == "+") return a + b;
    if (op == "-") return a - b;
    if (op == "*") return a * b;
    if (op == "**") return std::pow(a, b);
    if (b == 0.0) type_fault("division by zero");
    if (op == "/") return a / b;
    double rest = std::fmod(a, b);
    if (rest != 0.0 && (rest < 0) != (b < 0)) rest += b;
    return op == "%" ? rest : std::round((a - rest) / b);
}

Value repeat(const Value& value, std::int64_t count) {
    const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
    if (times > 0 && value.weight() > (64U << 20U) / times) {
        throw Fault(FaultKind::Limit, "a repetition grows too large");
    }
    if (const std::string* text = value.text()) {
        std::string result;
        for (std::size_t i = 0; i < times; ++i) result += *text;
        return result;
    }
    const Sequence& sequence = *value.list_or_tuple();
    std::vector<Value> items;
    for (std::size_t i = 0; i < times; ++i) {
        items.insert(items.end(), sequence.items.begin(), sequence.items.end());
    }
    return Sequence(sequence.kind, std::move(items));
}

bool is_repeatable(const Value& value) {
    return value.text() != nullptr || value.list_or_tuple() != nullptr;
}

Value add(const Value& a, const Value& b) {
    if (a.text() != nullptr) {
        if (b.text() != nullptr) return *a.text() + *b.text();
        type_fault(fmt::format("can only concatenate str (not \"{}\") to str", b.type_name()));
    }
    if (const Sequence* left = a.list_or_tuple()) {
        const Sequence* right = b.list_or_tuple();
        if (right == nullptr || right->kind != left->kind) {
            type_fault(fmt::format("can only concatenate {0} (not \"{1}\") to {0}", a.type_name(),
                                   b.type_name()));
        }
        std::vector<Value> items = left->items;
        items.insert(items.end(), right->items.begin(), right->items.end());
        return Sequence(left->kind, std::move(items));
    }
    no_operator("+", a, b);
}

bool equal_sequences(const Sequence& a, const Sequence& b) {
    return a.kind == b.kind &&
           std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

bool equal_maps(const Map& a, const Map& b) {
    return a.entries.size() == b.entries.size() &&
           std::all_of(a.entries.begin(), a.entries.end(), [&b](const auto& entry) {
               const Value* other = b.find(entry.first);
               return other != nullptr && equal(entry.second, *other);
           });
}

/// The bounds of a slice over `size` items, as CPython adjusts them.
struct Bounds {
    std::int64_t start;
    std::int64_t stop;
    std::int64_t step;
};

std::int64_t slice_index(const Value& value, std::int64_t fallback) {
    if (value.is_none()) return fallback;
    if (const auto index = value.integer()) return *index;
    type_fault("slice indices must be integers or None");
}

Bounds slice_bounds(const Value& start, const Value& stop, const Value& step, std::int64_t size) {
    const std::int64_t stride = slice_index(step, 1);
    if (stride == 0) type_fault("slice step cannot be zero");
    const std::int64_t low = stride < 0 ? -1 : 0;
    const std::int64_t high = stride < 0 ? size - 1 : size;
    const auto place = [&](const Value& value, std::int64_t fallback) {
        if (value.is_none()) return fallback;
        const std::int64_t index = slice_index(value, 0);
        return std::clamp(index < 0 ? std::max(index, -size - 1) + size : index, low, high);
    };
    return {place(start, stride < 0 ? high : low), place(stop, stride < 0 ? low : high), stride};
}

}  // namespace

void require_defined(const Value& value) {
    if (const Undefined* undefined = value.undefined()) {
        throw Fault(undefined->kind, undefined->why);
    }
}

bool equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) {
        if (a.integer() && b.integer()) return *a.integer() == *b.integer();
        // long double holds every 64-bit integer
        const auto wide = [](const Value& value) -> long double {
            return value.integer() ? static_cast<long double>(*value.integer()) : *value.floating();
        };
        return wide(a) == wide(b);
    }
    if (a.text() != nullptr && b.text() != nullptr) return *a.text() == *b.text();
    if (a.sequence() != nullptr && b.sequence() != nullptr) {
        return a.sequence() == b.sequence() || equal_sequences(*a.sequence(), *b.sequence());
    }
    if (a.map() != nullptr && b.map() != nullptr) return equal_maps(*a.map(), *b.map());
    if (a.range() != nullptr && b.range() != nullptr) {
        return equal_sequences(Sequence(Sequence::Kind::List, iterate(a)),
                               Sequence(Sequence::Kind::List, iterate(b)));
    }
    if (a.object() != nullptr || b.object() != nullptr) return a.object() == b.object();
    return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool less(const Value& a, const Value& b) {
    require_defined(a);
    require_defined(b);
    if (a.integer() && b.integer()) return *a.integer() < *b.integer();
    if (a.is_number() && b.is_number()) return *a.number() < *b.number();
    if (a.text() != nullptr && b.text() != nullptr) return *a.text() < *b.text();
    const Sequence* left = a.list_or_tuple();
    const Sequence* right = b.list_or_tuple();
    if (left == nullptr || right == nullptr || left->kind != right->kind) {
        type_fault(fmt::format("'<' not supported between instances of '{}' and '{}'",
                               a.type_name(), b.type_name()));
    }
    const std::size_t common = std::min(left->items.size(), right->items.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (!equal(left->items[i], right->items[i])) return less(left->items[i], right->items[i]);
    }
    return left->items.size() < right->items.size();
}

bool contains(const Value& container, const Value& item) {
    if (const std::string* text = container.text()) {
        if (item.text() == nullptr) {
            type_fault(fmt::format("'in <string>' requires string as left operand, not {}",
                                   item.type_name()));
        }
        return text->find(*item.text()) != std::string::npos;
    }
    if (const Map* map = container.map()) return map->find(item) != nullptr;
    if (!is_iterable(container)) {
        type_fault(fmt::format("argument of type '{}' is not a container or iterable",
                               container.type_name()));
    }
    const std::vector<Value> items = iterate(container);
    return std::any_of(items.begin(), items.end(),
                       [&item](const Value& other) { return equal(item, other); });
}

Value arithmetic(std::string_view op, const Value& a, const Value& b) {
    if (op == "%" && a.text() != nullptr) return percent_format(*a.text(), b);
    require_defined(a);
    require_defined(b);
    if (a.integer() && b.integer()) return integer_arithmetic(op, *a.integer(), *b.integer());
    if (a.is_number() && b.is_number()) return float_arithmetic(op, *a.number(), *b.number());
    if (op == "+") return add(a, b);
    if (op == "*" && is_repeatable(a) && b.integer()) return repeat(a, *b.integer());
    if (op == "*" && is_repeatable(b) && a.integer()) return repeat(b, *a.integer());
    no_operator(op, a, b);
}

Value negate(const Value& value) {
    require_defined(value);
    if (const auto number = value.integer()) {
        check_overflow(*number == kLowest);
        return -*number;
    }
    if (const double* number = value.floating()) return -*number;
    type_fault(fmt::format("bad operand type for unary -: '{}'", value.type_name()));
}

std::int64_t length(const Value& value) {
    if (value.is_undefined()) return 0;
    if (const std::string* text = value.text()) return count_characters(*text);
    if (const Map* map = value.map()) return static_cast<std::int64_t>(map->entries.size());
    if (const Range* range = value.range()) return range->size();
    const Sequence* sequence = value.sequence();
    if (sequence == nullptr || sequence->kind == Sequence::Kind::Iterator) {
        type_fault(fmt::format("object of type '{}' has no len()", value.type_name()));
    }
    return static_cast<std::int64_t>(sequence->items.size());
}

bool is_iterable(const Value& value) {
    return value.is_undefined() || value.text() != nullptr || value.map() != nullptr ||
           value.range() != nullptr || value.sequence() != nullptr;
}

std::vector<Value> iterate(const Value& value) {
    if (value.is_undefined()) return {};
    std::vector<Value> items;
    if (const Sequence* sequence = value.sequence()) {
        if (sequence->kind == Sequence::Kind::Iterator && std::exchange(sequence->is_spent, true)) {
            return {};
        }
        return sequence->items;
    }
    if (const Map* map = value.map()) {
        for (const auto& entry : map->entries) items.push_back(entry.first);
        return items;
    }
    if (const Range* range = value.range()) {
        for (std::int64_t i = 0; i < range->size(); ++i) items.emplace_back(range->at(i));
        return items;
    }
    if (const std::string* text = value.text()) {
        for (std::string& character : characters(*text)) items.emplace_back(std::move(character));
        return items;
    }
    type_fault(fmt::format("'{}' object is not iterable", value.type_name()));
}

Value slice(const Value& value, const Value& start, const Value& stop, const Value& step) {
    const bool can_slice =
        value.text() != nullptr || value.list_or_tuple() != nullptr || value.range() != nullptr;
    if (!can_slice)
        return Value::undefined(fmt::format("'{}' object has no slices", value.type_name()));
    std::vector<Value> items = iterate(value);
    const Bounds bounds = slice_bounds(start, stop, step, static_cast<std::int64_t>(items.size()));
    std::vector<Value> taken;
    const auto size = Range{bounds.start, bounds.stop, bounds.step}.size();
    for (std::int64_t i = 0; i < size; ++i) {
        taken.push_back(items[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
    }
    if (value.text() == nullptr) {
        const Sequence* sequence = value.list_or_tuple();
        return Sequence(sequence == nullptr ? Sequence::Kind::List : sequence->kind,
                        std::move(taken));
    }
    std::string text;
    for (const Value& character : taken) text += *character.text();
    return text;
}

}  // namespace espalier::jinja
