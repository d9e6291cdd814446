#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "tokenizer/jinja/attribute_path.h"
#include "tokenizer/jinja/bound_arguments.h"
#include "tokenizer/jinja/evaluator.h"
#include "tokenizer/jinja/filters.h"
#include "tokenizer/jinja/methods.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/repr.h"
#include "tokenizer/jinja/text.h"

namespace espalier::jinja {
namespace {

[[noreturn]] void type_fault(const std::string& what) { throw Fault(FaultKind::Type, what); }

Value length_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("length", arguments, {});
    return length(input);
}

Value default_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("default", arguments, {"default_value", "boolean"});
    const bool replaces = input.is_undefined() || (bound.truth(1, false) && !input.is_true());
    return replaces ? bound.value(0, "") : input;
}

Value first_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("first", arguments, {});
    std::vector<Value> items = iterate(input);
    if (items.empty()) return Value::undefined("No first item, sequence was empty.");
    return std::move(items.front());
}

Value last_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("last", arguments, {});
    std::vector<Value> items = iterate(input);
    if (items.empty()) return Value::undefined("No last item, sequence was empty.");
    return std::move(items.back());
}

/// Rendering must be repeatable, so chance always picks the first.
Value random_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    return first_filter(evaluator, input, arguments);
}

Value list_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("list", arguments, {});
    return Value::list(iterate(input));
}

Value items_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("items", arguments, {});
    std::vector<Value> items;
    if (input.is_undefined()) return Value::iterator({});
    if (input.map() == nullptr) type_fault("Can only get item pairs from a mapping.");
    for (const auto& [key, value] : input.map()->entries)
        items.push_back(Value::tuple({key, value}));
    return Value::iterator(std::move(items));
}

Value reverse_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("reverse", arguments, {});
    std::vector<Value> items = iterate(input);
    std::reverse(items.begin(), items.end());
    if (input.text() == nullptr) return Value::iterator(std::move(items));
    std::string text;
    for (const Value& item : items) text += *item.text();
    return text;
}

Value join_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("join", arguments, {"d", "attribute"});
    const std::string separator = bound.text(0, "");
    const AttributePath path(bound.value(1));
    std::string result;
    bool is_first = true;
    for (const Value& item : iterate(input)) {
        if (!std::exchange(is_first, false)) result += separator;
        result += to_text(path.of(evaluator, item));
        if (result.size() > (64U << 20U)) throw Fault(FaultKind::Limit, "a text grew too large");
    }
    return result;
}

/// A value and what it is sorted by.
struct Keyed {
    Value key;
    Value value;
};

/// Stable, also backwards: equals keep their order.
void sort_by_key(std::vector<Keyed>& items, bool is_reverse) {
    const auto before = [is_reverse](const Keyed& a, const Keyed& b) {
        return is_reverse ? less(b.key, a.key) : less(a.key, b.key);
    };
    std::stable_sort(items.begin(), items.end(), before);
}

Value sort_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
    const std::vector<AttributePath> paths = attribute_paths(bound.value(2));
    const bool ignores_case = !bound.truth(1, false);
    std::vector<Keyed> items;
    for (Value& value : iterate(input)) {
        std::vector<Value> keys;
        for (const AttributePath& path : paths) {
            keys.push_back(path.key_of(evaluator, value, ignores_case));
        }
        items.push_back({keys.size() == 1 ? keys.front() : Value::list(std::move(keys)), value});
    }
    sort_by_key(items, bound.truth(0, false));
    std::vector<Value> result;
    for (Keyed& item : items) result.push_back(std::move(item.value));
    return Value::list(std::move(result));
}

Value dictsort_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
    const std::string by = bound.string(1, "key");
    if (by != "key" && by != "value")
        type_fault("You can only sort by either \"key\" or \"value\"");
    require_defined(input);
    if (input.map() == nullptr) type_fault("dictsort() wants a mapping");
    const AttributePath itself{Value()};
    std::vector<Keyed> items;
    for (const auto& [key, value] : input.map()->entries) {
        items.push_back(
            {itself.key_of(evaluator, by == "key" ? key : value, !bound.truth(0, false)),
             Value::tuple({key, value})});
    }
    sort_by_key(items, bound.truth(2, false));
    std::vector<Value> result;
    for (Keyed& item : items) result.push_back(std::move(item.value));
    return Value::list(std::move(result));
}

Value unique_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("unique", arguments, {"case_sensitive", "attribute"});
    const AttributePath path(bound.value(1));
    std::vector<Value> result;
    Map seen;
    for (Value& value : iterate(input)) {
        Value key = path.key_of(evaluator, value, !bound.truth(0, false));
        evaluator.charge(seen.entries.size() / 64);
        if (seen.find(key) != nullptr) continue;
        seen.set(std::move(key), true);
        result.push_back(std::move(value));
    }
    return Value::iterator(std::move(result));
}

template <bool Max>
Value extreme_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("max", arguments, {"case_sensitive", "attribute"});
    const AttributePath path(bound.value(1));
    std::vector<Value> items = iterate(input);
    if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
    std::size_t best = 0;
    Value best_key = path.key_of(evaluator, items[0], !bound.truth(0, false));
    for (std::size_t i = 1; i < items.size(); ++i) {
        Value key = path.key_of(evaluator, items[i], !bound.truth(0, false));
        if (Max ? less(best_key, key) : less(key, best_key)) {
            best = i;
            best_key = std::move(key);
        }
    }
    return items[best];
}

Value sum_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("sum", arguments, {"attribute", "start"});
    const AttributePath path(bound.value(0));
    Value total = bound.value(1, 0);
    for (const Value& value : iterate(input)) {
        evaluator.charge(total.weight() / 1024);
        total = arithmetic("+", total, path.of(evaluator, value));
    }
    return total;
}

std::int64_t positive(std::int64_t count) {
    if (count < 1 || count > 1'000'000) type_fault("the count of parts should be positive");
    return count;
}

Value batch_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("batch", arguments, {"linecount", "fill_with"}, 1);
    const auto count = static_cast<std::size_t>(positive(bound.integer(0, 1)));
    std::vector<Value> batches;
    std::vector<Value> current;
    for (Value& value : iterate(input)) {
        if (current.size() == count) batches.push_back(Value::list(std::exchange(current, {})));
        current.push_back(std::move(value));
    }
    if (!current.empty()) {
        if (!bound.value(1).is_none()) current.resize(count, bound.value(1));
        batches.push_back(Value::list(std::move(current)));
    }
    return Value::iterator(std::move(batches));
}

Value slice_filter(Evaluator&, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("slice", arguments, {"slices", "fill_with"}, 1);
    const auto count = static_cast<std::size_t>(positive(bound.integer(0, 1)));
    const std::vector<Value> items = iterate(input);
    const std::size_t size = items.size() / count;
    const std::size_t longer = items.size() % count;
    std::vector<Value> slices;
    auto next = items.begin();
    for (std::size_t i = 0; i < count; ++i) {
        const auto end = next + static_cast<std::ptrdiff_t>(size + (i < longer ? 1 : 0));
        std::vector<Value> part(next, end);
        if (!bound.value(1).is_none() && i >= longer) part.push_back(bound.value(1));
        slices.push_back(Value::list(std::move(part)));
        next = end;
    }
    return Value::iterator(std::move(slices));
}

Value groupby_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
    const AttributePath path(bound.value(0));
    const auto attribute_of = [&](const Value& value) {
        Value found = path.of(evaluator, value);
        return found.is_undefined() && bound.find(1) != nullptr ? bound.value(1) : found;
    };
    std::vector<Keyed> items;
    for (Value& value : iterate(input)) {
        Value key = attribute_of(value);
        if (!bound.truth(2, false) && key.text() != nullptr) key = to_lower(*key.text());
        items.push_back({std::move(key), std::move(value)});
    }
    sort_by_key(items, false);
    std::vector<Value> groups;
    for (std::size_t begin = 0; begin < items.size();) {
        std::vector<Value> members;
        std::size_t end = begin;
        for (; end < items.size() && equal(items[end].key, items[begin].key); ++end) {
            members.push_back(items[end].value);
        }
        Value grouper = attribute_of(members.front());
        Sequence group(Sequence::Kind::Tuple,
                       {std::move(grouper), Value::list(std::move(members))});
        group.names = {"grouper", "list"};
        groups.emplace_back(std::move(group));
        begin = end;
    }
    return Value::list(std::move(groups));
}

Value attr_filter(Evaluator& evaluator, const Value& input, const Arguments& arguments) {
    const BoundArguments bound("attr", arguments, {"name"}, 1);
    const std::string name = bound.text(0, "");
    if (input.map() != nullptr && find_method(input, name) == nullptr) {  // no keys
        return Value::undefined(fmt::format("no attribute '{}'", name));
    }
    return evaluator.attribute(input, name);
}

constexpr std::array kRows{
    FilterRow{"length", length_filter},     FilterRow{"count", length_filter},
    FilterRow{"default", default_filter},   FilterRow{"d", default_filter},
    FilterRow{"first", first_filter},       FilterRow{"last", last_filter},
    FilterRow{"random", random_filter},     FilterRow{"list", list_filter},
    FilterRow{"items", items_filter},       FilterRow{"reverse", reverse_filter},
    FilterRow{"join", join_filter},         FilterRow{"sort", sort_filter},
    FilterRow{"dictsort", dictsort_filter}, FilterRow{"unique", unique_filter},
    FilterRow{"max", extreme_filter<true>}, FilterRow{"min", extreme_filter<false>},
    FilterRow{"sum", sum_filter},           FilterRow{"batch", batch_filter},
    FilterRow{"slice", slice_filter},       FilterRow{"groupby", groupby_filter},
    FilterRow{"attr", attr_filter},
};

}  // namespace

std::span<const FilterRow> sequence_filters() { return kRows; }

}  // namespace espalier::jinja
